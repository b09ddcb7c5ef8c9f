//! How a rollout goes if all goes well. Pure.

use chrono::{DateTime, Utc};

use super::state::later;
use super::{
    Readiness, RevisionView, RolloutAction, RolloutDecision, RolloutEnd, RolloutIntent, RolloutPhase,
    RolloutPolicy, RolloutState, RolloutStep, TargetView, Verdict, next_step,
};

/// Twenty steps of a thousand passes each, a wait before each pass, and what lies between.
const LOOKS_MAX: u32 = 50_000;

/// How a rollout goes if all goes well: every change with the earliest time of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RolloutForecast {
    /// What is done, in its order. Waits and single analyses are left out.
    pub steps: Vec<(DateTime<Utc>, RolloutDecision)>,
    /// How it ends, if it does,
    pub end: Option<RolloutEnd>,
    /// and when; else when it comes to rest, as for a pause.
    pub ends_at: DateTime<Utc>,
    /// What it rests for, if it does not come to an end.
    pub rests: Option<String>,
}

/// Looks ahead from `now` to the end of a rollout: what [`next_step`] will say from time to time, if gates open, what starts
/// becomes ready at once, changes take no time, and every analysis passes. A rollout that goes back is followed on its way.
/// Changes nothing.
#[must_use]
pub fn forecast_rollout(
    state: &RolloutState,
    view: &TargetView,
    policy: &RolloutPolicy,
    now: DateTime<Utc>,
) -> RolloutForecast {
    let (mut state, mut view) = (state.clone(), view.clone());
    let mut forecast = RolloutForecast { ends_at: now, ..RolloutForecast::default() };
    for _ in 0..LOOKS_MAX {
        let now = forecast.ends_at;
        state.watch_way_back(&view, now);
        let decision = next_step(&state, &view, policy, now);
        let mut is_told = true;
        match &decision.step {
            RolloutStep::Wait { .. } if state.paused.is_some() => {
                forecast.rests = Some(decision.reason);
                return forecast;
            }
            RolloutStep::Wait { until } => {
                is_told = false;
                forecast.ends_at = wakes_at(&state, &view, policy, *until);
                settle(&mut view, &state);
            }
            RolloutStep::CheckStaging => state.learn_staging(None, now),
            RolloutStep::AskGates => state.learn_gates(None, now),
            RolloutStep::Analyse => {
                is_told = false;
                state.learn_verdict(&Verdict::Pass, now);
            }
            RolloutStep::Change(action) => {
                state.intend(RolloutIntent::new(action.clone(), view.version.clone(), now));
                change(&mut view, &state, action);
            }
            RolloutStep::Record => {
                is_told = false;
                state.took(now);
            }
            RolloutStep::Promote => state.enter(RolloutPhase::Promoted, now),
            RolloutStep::Pause => state.pause(&decision.reason, now),
            RolloutStep::RollBack => {
                let reason = decision.reason.clone();
                state.enter(RolloutPhase::RollingBack { reason }, now);
            }
            RolloutStep::End(end) => state.enter(RolloutPhase::Ended(end.clone()), now),
            RolloutStep::Nothing => {
                forecast.end = state.end().cloned();
                return forecast;
            }
        }
        if is_told {
            forecast.steps.push((now, decision));
        }
    }
    forecast.rests = Some("nobody looks further ahead".to_owned());
    forecast
}

/// Between two analyses nothing changes that this view can know: it goes from one to the next, unless silence or a failure's
/// trial ends before.
fn wakes_at(
    state: &RolloutState,
    view: &TargetView,
    policy: &RolloutPolicy,
    until: DateTime<Utc>,
) -> DateTime<Utc> {
    if view.under_way.is_some() || !matches!(state.phase, RolloutPhase::Canary { .. }) {
        return until;
    }
    let tally = &state.tally;
    let due = later(tally.analysed_at.unwrap_or(state.since), policy.interval);
    let silent = later(tally.data_at.unwrap_or(state.since), policy.silence);
    let trial_ends = tally.first_bad.map_or(silent, |bad| later(bad, policy.interval * 2));
    if due < silent.min(trial_ends) { until.max(due) } else { until }
}

/// What starts is ready, and a split that was begun is there.
fn settle(view: &mut TargetView, state: &RolloutState) {
    for revision in view.revisions.values_mut() {
        if revision.readiness == Readiness::Starting {
            revision.readiness = Readiness::Ready;
        }
    }
    if view.under_way.take().is_some()
        && let Some(split) = state.intent.as_ref().and_then(RolloutIntent::after)
    {
        view.split = Some(split.clone());
    }
}

/// What the target shows after a change.
fn change(view: &mut TargetView, state: &RolloutState, action: &RolloutAction) {
    match action {
        RolloutAction::Create => {
            let made = RevisionView { image: state.release.image.clone(), readiness: Readiness::Ready };
            view.revisions.insert(state.release.revision.clone(), made);
        }
        RolloutAction::Shift { split, .. } | RolloutAction::Return { split } => {
            (view.split, view.under_way) = (Some(split.clone()), None);
        }
        RolloutAction::Retire { revision } => {
            view.revisions.remove(revision);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;

    use super::*;
    use crate::{MemoryRolloutTarget, Release};

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn begun() -> (RolloutState, TargetView) {
        let view = MemoryRolloutTarget::new("api-1", "registry/api:1").view();
        let release = Release::new("api-2", "registry/api:2").unwrap();
        (RolloutState::begin("id".to_owned(), release, &view, START).unwrap(), view)
    }

    /// The candidate is there and has no share yet.
    fn made() -> (RolloutState, TargetView) {
        let (mut state, mut view) = begun();
        state.learn_staging(None, START);
        state.learn_gates(None, START);
        carry_out(&mut state, &mut view, RolloutAction::Create);
        (state, view)
    }

    fn carry_out(state: &mut RolloutState, view: &mut TargetView, action: RolloutAction) {
        state.intend(RolloutIntent::new(action.clone(), "1".to_owned(), START));
        change(view, state, &action);
        state.took(START);
    }

    fn shift(step: usize, percent: u8) -> RolloutAction {
        RolloutAction::Shift { step, split: crate::TrafficSplit::canary("api-1", "api-2", percent) }
    }

    fn check(state: &RolloutState, view: &TargetView, at: i64, expected: &[&str]) -> RolloutForecast {
        let policy = RolloutPolicy::default();
        let forecast = forecast_rollout(state, view, &policy, START + TimeDelta::seconds(at));
        let line = |(time, decision): &(DateTime<Utc>, RolloutDecision)| {
            format!("{} {decision}", (*time - START).num_seconds())
        };
        assert_eq!(forecast.steps.iter().map(line).collect::<Vec<_>>(), expected);
        forecast
    }

    #[test]
    fn a_whole_rollout_is_seen_ahead() {
        let (state, view) = begun();
        let forecast = check(
            &state,
            &view,
            0,
            &[
                "0 ask the staging check: it comes before all else",
                "0 ask the gates: they come before a change",
                "0 make the candidate: the release may go out",
                "0 give 95 % to api-1, 5 % to api-2: api-2 is ready",
                "300 give 75 % to api-1, 25 % to api-2: 5 passes at 95 % to api-1, 5 % to api-2",
                "600 give 50 % to api-1, 50 % to api-2: 5 passes at 75 % to api-1, 25 % to api-2",
                "900 give 100 % to api-2: 5 passes at 50 % to api-1, 50 % to api-2",
                "1200 promote: 5 passes at 100 % to api-2",
                "1200 remove api-1: the candidate is current",
                "1200 end: the candidate is current",
            ],
        );
        assert_eq!(forecast.end, Some(RolloutEnd::Promoted { left: String::new() }));
        assert_eq!(forecast.ends_at, START + TimeDelta::seconds(1200));
    }

    #[test]
    fn an_abort_is_followed_on_its_way_back_and_a_pause_is_rest() {
        let (mut state, mut view) = made();
        carry_out(&mut state, &mut view, shift(0, 5));
        let mut paused = state.clone();
        paused.pause("an incident", START);
        let rests = check(&paused, &view, 30, &[]).rests;
        assert!(rests.is_some_and(|rests| rests.ends_with(": an incident")));
        state.abort = Some("a bug".to_owned());
        let forecast = check(
            &state,
            &view,
            30,
            &[
                "30 roll back: aborted: a bug",
                "30 give 100 % to api-1: aborted: a bug",
                "30 remove api-2: aborted: a bug",
                "30 end: aborted: a bug",
            ],
        );
        assert_eq!(forecast.end.as_ref().map(RolloutEnd::name), Some("rolled_back"));
    }

    #[test]
    fn a_split_that_is_under_way_is_taken_to_its_end() {
        let (mut state, mut view) = made();
        state.intend(RolloutIntent::new(shift(0, 5), "1".to_owned(), START));
        for rest in [crate::UnderWay::Starts("a pod".to_owned()), crate::UnderWay::Ends("a task".to_owned())]
        {
            view.under_way = Some(rest);
            let forecast = forecast_rollout(&state, &view, &RolloutPolicy::default(), START);
            assert_eq!(forecast.end.as_ref().map(RolloutEnd::name), Some("promoted"), "{forecast:?}");
            assert!(forecast.ends_at <= START + TimeDelta::seconds(1_220), "{forecast:?}");
        }
    }

    #[test]
    fn a_split_that_somebody_paused_has_its_time_anew() {
        let (mut state, mut view) = made();
        carry_out(&mut state, &mut view, shift(0, 5));
        state.intend(RolloutIntent::new(shift(1, 25), "1".to_owned(), START));
        view.under_way = Some(crate::UnderWay::Starts("a pod".to_owned()));
        let late = START + TimeDelta::hours(1);
        let policy = RolloutPolicy::default();
        let is_stuck = |state: &_| next_step(state, &view, &policy, late).step == RolloutStep::RollBack;
        assert!(is_stuck(&state));
        state.pause("an incident", START);
        state.resume(late);
        assert!(!is_stuck(&state));
    }

    #[test]
    fn the_longest_policy_has_its_end_in_sight() {
        let (state, view) = begun();
        let mut policy =
            RolloutPolicy { steps: (81..=100).collect(), passes: 1_000, ..RolloutPolicy::default() };
        policy.interval = Duration::from_secs(86_400);
        policy.silence = Duration::from_secs(3 * 86_400);
        policy.check().unwrap();
        let forecast = forecast_rollout(&state, &view, &policy, START);
        assert_eq!(forecast.ends_at, START + TimeDelta::days(20_000));
        assert!(forecast.end.is_some());
    }
}
