//! Whether a job runs now, and why. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Activation, JobState, Timetable, Trigger};
use crate::MissedRuns;

/// So many missed slots are looked at one by one; a timetable that was missed more often is skipped ahead.
const SCAN_MAX: usize = 10_000;

/// What decides, beside the state and the time.
#[derive(Debug, Clone)]
pub(crate) struct JobPolicy {
    pub(crate) activation: Activation,
    pub(crate) missed: MissedRuns,
}

/// A run that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) slot: DateTime<Utc>,
    pub(crate) trigger: Trigger,
    pub(crate) skipped: u64,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Due {
    Run(Wanted),
    /// Nothing before this moment, or before somebody wakes the job.
    Wait(Option<DateTime<Utc>>),
}

/// Decides what a job that is not running does at `now`.
pub(crate) fn due(state: &JobState, policy: &JobPolicy, now: DateTime<Utc>, woken: bool) -> Due {
    let extra = |trigger| Due::Run(Wanted { slot: now, trigger, skipped: 0 });
    let planned = match &policy.activation {
        Activation::Service => {
            return match state.retry_at.filter(|&at| at > now) {
                Some(at) if !woken => Due::Wait(Some(at)),
                _ => extra(Trigger::Service),
            };
        }
        Activation::OnWake => Due::Wait(None),
        Activation::Every(period) => scheduled(state.cursor, &Every(*period), policy.missed, now),
        Activation::At(timetable) => scheduled(state.cursor, timetable.as_ref(), policy.missed, now),
    };
    match (planned, state.retry_at) {
        (Due::Run(wanted), _) => Due::Run(wanted),
        _ if woken => extra(Trigger::Wake),
        (Due::Wait(_), Some(at)) if at <= now => extra(Trigger::Retry),
        (Due::Wait(next), retry_at) => Due::Wait(next.into_iter().chain(retry_at).min()),
    }
}

fn scheduled(
    cursor: DateTime<Utc>,
    timetable: &dyn Timetable,
    missed: MissedRuns,
    now: DateTime<Utc>,
) -> Due {
    let mut open = Vec::new();
    let mut skipped = 0_u64;
    let mut next = timetable.next_after(cursor);
    while let Some(slot) = next.filter(|&slot| slot <= now) {
        if open.len() >= SCAN_MAX {
            // Only the newest matter to any policy that gets here.
            skipped += open.drain(..SCAN_MAX / 2).count() as u64;
        }
        open.push(slot);
        next = timetable.next_after(slot);
    }
    let newest = open.len().saturating_sub(1);
    let no_older_than = |span| {
        let oldest = TimeDelta::from_std(span).ok().and_then(|span| now.checked_sub_signed(span));
        let first = open.iter().position(|&slot| oldest.is_none_or(|oldest| slot >= oldest));
        first.unwrap_or(open.len())
    };
    let first = match missed {
        MissedRuns::FireOnce => newest,
        MissedRuns::Skip { grace } => newest.max(no_older_than(grace)),
        MissedRuns::CatchUp { max, window } => {
            open.len().saturating_sub(max.max(1)).max(no_older_than(window))
        }
    };
    match open.get(first) {
        Some(&slot) => Due::Run(Wanted { slot, trigger: Trigger::Schedule, skipped: skipped + first as u64 }),
        None => Due::Wait(next),
    }
}

/// Multiples of a period since 1970.
#[derive(Debug)]
struct Every(Duration);

impl Timetable for Every {
    fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let period = i64::try_from(self.0.as_millis()).ok()?.max(1);
        let next = after.timestamp_millis().div_euclid(period).checked_add(1)?.checked_mul(period)?;
        DateTime::from_timestamp_millis(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn every_ten(missed: MissedRuns) -> JobPolicy {
        JobPolicy { activation: Activation::Every(Duration::from_secs(10)), missed }
    }

    fn run(slot: i64, skipped: u64) -> Due {
        Due::Run(Wanted { slot: at(slot), trigger: Trigger::Schedule, skipped })
    }

    #[test]
    fn slots_are_multiples_of_the_period() {
        let state = JobState::new(at(15));
        let policy = every_ten(MissedRuns::FireOnce);
        assert_eq!(due(&state, &policy, at(15), false), Due::Wait(Some(at(20))));
        assert_eq!(due(&state, &policy, at(20), false), run(20, 0));
        assert_eq!(due(&state, &policy, at(29), false), run(20, 0));
    }

    #[test]
    fn missed_slots_follow_the_policy() {
        let state = JobState::new(at(5));
        let now = at(44); // 10, 20, 30 and 40 are open.
        let (hour, seconds) = (Duration::from_secs(3600), Duration::from_secs);
        for (missed, wanted) in [
            (MissedRuns::FireOnce, run(40, 3)),
            (MissedRuns::CatchUp { max: 100, window: hour }, run(10, 0)),
            (MissedRuns::CatchUp { max: 2, window: hour }, run(30, 2)),
            (MissedRuns::CatchUp { max: 0, window: hour }, run(40, 3)),
            (MissedRuns::CatchUp { max: 100, window: seconds(30) }, run(20, 1)),
            (MissedRuns::CatchUp { max: 100, window: seconds(3) }, Due::Wait(Some(at(50)))),
            (MissedRuns::Skip { grace: seconds(14) }, run(40, 3)),
            (MissedRuns::Skip { grace: seconds(3) }, Due::Wait(Some(at(50)))),
        ] {
            assert_eq!(due(&state, &every_ten(missed), now, false), wanted, "{missed:?}");
        }
    }

    #[test]
    fn a_very_long_absence_is_counted_exactly() {
        let now = at(10 * 100_000 + 5);
        let wanted = run(1_000_000, 99_999);
        assert_eq!(due(&JobState::new(at(0)), &every_ten(MissedRuns::FireOnce), now, false), wanted);
    }

    #[test]
    fn a_retry_or_a_wake_comes_between_slots_and_never_instead() {
        let policy = every_ten(MissedRuns::FireOnce);
        let mut state = JobState::new(at(20));
        let extra = |second, trigger| Due::Run(Wanted { slot: at(second), trigger, skipped: 0 });
        assert_eq!(due(&state, &policy, at(22), true), extra(22, Trigger::Wake));
        state.retry_at = Some(at(25));
        assert_eq!(due(&state, &policy, at(22), false), Due::Wait(Some(at(25))));
        assert_eq!(due(&state, &policy, at(26), false), extra(26, Trigger::Retry));
        assert_eq!(due(&state, &policy, at(31), false), run(30, 0));
    }

    #[test]
    fn a_service_runs_unless_it_pauses_and_a_wake_ends_the_pause() {
        let policy = JobPolicy { activation: Activation::Service, missed: MissedRuns::FireOnce };
        let mut state = JobState::new(at(0));
        let wanted = Due::Run(Wanted { slot: at(1), trigger: Trigger::Service, skipped: 0 });
        assert_eq!(due(&state, &policy, at(1), false), wanted);
        state.retry_at = Some(at(5));
        assert_eq!(due(&state, &policy, at(1), false), Due::Wait(Some(at(5))));
        assert_eq!(due(&state, &policy, at(1), true), wanted);
    }
}
