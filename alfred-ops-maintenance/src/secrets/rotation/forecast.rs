//! What will be done with a secret, and when. Pure.

use chrono::{DateTime, Utc};

use super::next::{imagine, next};
use super::step::Next;
use super::{RotationFacts, RotationPolicy, RotationReason, RotationStep};

/// One whole rotation and the rest of another have fewer.
const STEPS_MAX: usize = 16;

/// What will be done with a secret, each step with the earliest time of it, and where the view ahead ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationForecast {
    /// The steps, in their order.
    pub steps: Vec<(DateTime<Utc>, RotationStep, RotationReason)>,
    /// What is waited for at an unknown time, or what is in the way, if that ends the view. Else it ends with the next
    /// rotation's.
    pub ends: Option<String>,
}

/// Looks ahead from `now` to the end of the next rotation: what [`plan_rotation`](super::plan_rotation) will say from time to
/// time, if every step succeeds, everybody stops using the old one in time, and nobody changes anything. A care looks
/// now and then, so a step may come later by [`look_every`](RotationPolicy::look_every). Changes nothing.
#[must_use]
pub fn forecast_rotation(
    facts: &RotationFacts,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> RotationForecast {
    let mut forecast = RotationForecast::default();
    let (mut ahead, mut time) = (facts.clone(), now);
    while forecast.steps.len() < STEPS_MAX {
        match next(&ahead, policy, time) {
            Next::Do(step, reason) => {
                // The one after the next is as far away as the period is long: nobody plans by it.
                if is_second_beginning(&forecast, step) {
                    break;
                }
                imagine(&mut ahead, step, time);
                forecast.steps.push((time, step, reason));
            }
            Next::Wait { until, .. } => {
                (time, ahead.users) = (until, 0);
            }
            Next::Patience(what) => {
                forecast.ends = Some(format!("waits for {what}"));
                break;
            }
            Next::Blocked(obstacle) => {
                forecast.ends = Some(obstacle);
                break;
            }
        }
    }
    forecast
}

fn is_second_beginning(forecast: &RotationForecast, step: RotationStep) -> bool {
    let begins = |step: &RotationStep| matches!(step, RotationStep::Stage { .. });
    begins(&step) && forecast.steps.iter().any(|(_, step, _)| begins(step))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;

    use super::*;
    use crate::{Phase, RotationRecord, SecretVersion, SecretView, VersionState, plan_rotation};

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn policy() -> RotationPolicy {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        RotationPolicy::api_keys()
            .with_every(hours(240))
            .with_times(hours(1), hours(2), Duration::ZERO)
            .with_disabled_for(hours(24))
    }

    fn facts() -> RotationFacts {
        let mut record = RotationRecord::default();
        record.adopt(1, "one".to_owned(), START, START);
        let version = SecretVersion::new(1, VersionState::Enabled, START);
        RotationFacts {
            record,
            view: SecretView::new(vec![version], Some(1), "r"),
            ..RotationFacts::default()
        }
    }

    fn shown(facts: &RotationFacts, now_hours: i64) -> Vec<String> {
        let forecast = forecast_rotation(facts, &policy(), START + TimeDelta::hours(now_hours));
        let hour = |time: DateTime<Utc>| (time - START).num_hours();
        let lines =
            forecast.steps.iter().map(|(time, step, reason)| format!("{} {step}: {reason}", hour(*time)));
        lines.chain(forecast.ends).collect()
    }

    #[test]
    fn a_whole_rotation_is_seen_ahead_with_its_waits() {
        let expected = [
            "240 make generation 2: the active one is 10 days old",
            "240 publish and verify generation 2: the step before is done",
            "241 verify and activate generation 2: all caches have had time to read it",
            "244 lock and disable generation 1: caches and tokens have expired, and nobody uses it",
            "268 destroy generation 1: nobody missed it",
        ];
        assert_eq!(shown(&facts(), 0), expected);
        // An empty store begins at once, and its first rotation is in sight too.
        assert_eq!(
            shown(&RotationFacts::default(), 0)[..3],
            [
                "0 make generation 1: there is none yet",
                "0 publish and verify generation 1: the step before is done",
                "0 verify and activate generation 1: there is none yet",
            ]
        );
    }

    #[test]
    fn what_ends_the_view_is_said() {
        let mut moved = facts();
        moved.view.active = None;
        assert_eq!(shown(&moved, 0).len(), 1);
        assert!(shown(&moved, 0)[0].starts_with("somebody else changed the active version"));
        let mut used = facts();
        used.record.stage(2, "id".to_owned(), 1, START);
        used.record.keep(2, 2, "two".to_owned());
        used.record.activate(2, START);
        used.view = SecretView::new(
            [1, 2].map(|number| SecretVersion::new(number, VersionState::Enabled, START)).to_vec(),
            Some(2),
            "r",
        );
        used.users = 3;
        assert_eq!(used.record.in_phase(Phase::Retiring).map(|generation| generation.number), Some(1));
        // Until it should be unused nobody minds its users; from then on nobody knows how long they stay.
        assert!(shown(&used, 1)[0].starts_with("3 lock and disable generation 1"));
        assert_eq!(shown(&used, 3), ["waits for 3 to stop using \"one\""]);
    }

    #[test]
    fn the_first_steps_are_those_of_the_plan() {
        for (facts, hours) in [(RotationFacts::default(), 0), (facts(), 240), (facts(), 100)] {
            let now = START + TimeDelta::hours(hours);
            let plan = plan_rotation(&facts, &policy(), now).steps;
            let at_once = forecast_rotation(&facts, &policy(), now).steps.into_iter();
            let at_once: Vec<_> =
                at_once.take_while(|(time, ..)| *time == now).map(|(_, s, r)| (s, r)).collect();
            assert_eq!(at_once, plan);
        }
    }
}
