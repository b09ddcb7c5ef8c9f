//! Ways back that take long.

use std::time::Duration;

use alfred_ops_core::Metrics;
use chrono::{DateTime, TimeDelta, Utc};

use super::gauges::Gauges;
use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

/// What a target shows whose stable revision is so, and which has that left to do of the split.
fn view(readiness: Readiness, under_way: Option<UnderWay>) -> TargetView {
    let revision = |image: &str, readiness| RevisionView { image: image.to_owned(), readiness };
    TargetView {
        version: "1".to_owned(),
        revisions: [("v1", revision("app:1", readiness)), ("v2", revision("app:2", Readiness::Ready))]
            .map(|(name, view)| (name.to_owned(), view))
            .into(),
        split: Some(TrafficSplit::all("v2")),
        under_way,
    }
}

/// A rollout that goes back since 0 and whose candidate has everything.
fn going_back() -> RolloutState {
    let mut before = view(Readiness::Ready, None);
    before.split = Some(TrafficSplit::all("v1"));
    before.revisions.remove("v2");
    let release = Release::new("v2", "app:2").unwrap();
    let mut state = RolloutState::begin("r".to_owned(), release, &before, at(0)).unwrap();
    state.split = TrafficSplit::all("v2");
    state.enter(RolloutPhase::RollingBack { reason: "errors".to_owned() }, at(0));
    state
}

/// Looks every ten seconds, and makes what is decided: when it was left to a person, and when the split was made (again).
fn follow(
    mut state: RolloutState,
    seconds: i64,
    shows: impl Fn(i64) -> TargetView,
) -> (Option<i64>, Vec<i64>) {
    let policy = RolloutPolicy::default();
    let mut made = Vec::new();
    for now in (0..seconds).step_by(10) {
        let view = shows(now);
        loop {
            state.watch_way_back(&view, at(now));
            assert!(!state.watch_way_back(&view, at(now)), "the same is no news");
            match next_step(&state, &view, &policy, at(now)).step {
                RolloutStep::Change(action @ RolloutAction::Return { .. }) => {
                    state.intend(RolloutIntent::new(action, view.version.clone(), at(now)));
                    made.push(now);
                    if view.under_way.is_none() {
                        break;
                    }
                }
                RolloutStep::Wait { .. } => break,
                RolloutStep::End(RolloutEnd::HandedBack { .. }) => return (Some(now), made),
                other => panic!("{other:?}"),
            }
        }
    }
    (None, made)
}

#[test]
fn a_way_back_is_left_to_a_person_only_if_nothing_about_it_gets_better() {
    let check = |what: &str, left_at: Option<i64>, shows: fn(i64) -> TargetView| {
        let (left, made) = follow(going_back(), 4_000, shows);
        assert_eq!(left, left_at, "{what}");
        assert!(left.is_some() || made.last().is_some_and(|last| *last > 3_900), "{what}: {made:?}");
    };
    check("pods start slowly", None, |now| match now {
        0..10 => view(Readiness::Ready, None),
        _ => view(Readiness::Starting, Some(UnderWay::Starts(format!("{} of 8 replicas serve", now / 500)))),
    });
    check("leases hold it up", None, |now| match now {
        0..10 => view(Readiness::Ready, None),
        _ => view(Readiness::Starting, Some(UnderWay::Ends("v2 has 8 replicas".to_owned()))),
    });
    check("one look shows it not ready", None, |now| match now {
        700 => view(Readiness::Starting, None),
        _ => view(Readiness::Ready, None),
    });
    check("it does not start", Some(610), |now| match now {
        0..10 => view(Readiness::Ready, None),
        _ => view(Readiness::Starting, Some(UnderWay::Starts("0 of 8 replicas serve".to_owned()))),
    });
    check("it has failed although leases hold it up", Some(610), |now| match now {
        0..10 => view(Readiness::Ready, None),
        _ => {
            let failed = Readiness::Failed { reason: "no image".to_owned() };
            view(failed, Some(UnderWay::Ends("v2 has 8 replicas".to_owned())))
        }
    });
    check("it is closed from the start", Some(600), |_| view(Readiness::Starting, None));
}

#[test]
fn work_does_not_rest_for_ever_on_the_way_back() {
    let waits = || Some(UnderWay::Waits("1 worker has a lease".to_owned()));
    let (left, made) = follow(going_back(), 10_000, |now| match now {
        0..10 => view(Readiness::Ready, None),
        _ => view(Readiness::Ready, waits()),
    });
    assert_eq!(left, None);
    let made = |from: i64, to: i64| made.iter().filter(|at| (from..to).contains(*at)).count();
    assert!(made(10, 3_600) > 300, "it rests for an hour");
    assert_eq!(made(3_600, 4_500), 0, "it goes on for a quarter of one");
    assert!(made(4_500, 8_100) > 300, "it rests again");
    assert_eq!(made(8_100, 9_000), 0);
}

#[test]
fn a_split_that_has_work_rest_for_too_long_pauses_the_rollout() {
    let policy = RolloutPolicy::default();
    let waits = view(Readiness::Ready, Some(UnderWay::Waits("1 worker has a lease".to_owned())));
    for phase in [RolloutPhase::Starting, RolloutPhase::Canary { step: 2 }] {
        let mut state = going_back();
        state.enter(phase, at(0));
        let action = RolloutAction::Shift { step: 3, split: TrafficSplit::all("v2") };
        state.split = TrafficSplit::all("v1");
        state.intend(RolloutIntent::new(action, "1".to_owned(), at(0)));
        state.split = TrafficSplit::all("v2");
        state.tally.data_at = Some(at(3_500));
        let step = |state: &RolloutState, now: i64| next_step(state, &waits, &policy, at(now));
        assert!(!matches!(step(&state, 3_590).step, RolloutStep::Pause));
        let gauges = Gauges::register(&Metrics::new()).unwrap();
        assert!((gauges.waits("api", &state, &waits, at(3_590)) - 3_590.0).abs() < 0.1);
        let decision = step(&state, 3_600);
        assert_eq!(decision.step, RolloutStep::Pause, "{decision}");
        assert!(decision.reason.contains("no more than 3600s, and goes on: 1 worker"), "{decision}");
        state.pause(&decision.reason, at(3_600));
        assert!(matches!(step(&state, 3_610).step, RolloutStep::Wait { .. }), "nobody has work rest");
        assert!(gauges.waits("api", &state, &waits, at(3_610)).abs() < 0.1);
        state.resume(at(5_000));
        assert!(!matches!(step(&state, 5_010).step, RolloutStep::Pause));
        assert_eq!(step(&state, 8_600).step, RolloutStep::Pause);
    }
    let policy = RolloutPolicy { rests_within: Duration::ZERO, ..RolloutPolicy::default() };
    assert!(policy.check().unwrap_err().to_string().contains("rests_within: 0ns"));
}
