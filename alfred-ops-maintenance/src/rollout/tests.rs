//! Rollouts under a clock that the test drives.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::{ErrorKind, JobContext, MemoryStateStore, Metrics, SimulatedClock};
use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::ClosureGate;

type Verdicts = Arc<Mutex<Box<dyn FnMut(DateTime<Utc>) -> Verdict + Send>>>;

struct House {
    clock: SimulatedClock,
    target: MemoryRolloutTarget,
    context: JobContext,
    store: MemoryStateStore,
    verdicts: Verdicts,
    gate: Arc<Mutex<Option<String>>>,
    metrics: Metrics,
}

impl House {
    fn new(verdict: impl FnMut(DateTime<Utc>) -> Verdict + Send + 'static) -> Self {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        Self {
            target: MemoryRolloutTarget::new("v1", "app:1"),
            context: JobContext::system().with_clock(clock.shared()),
            store: MemoryStateStore::new(clock.shared()),
            verdicts: Arc::new(Mutex::new(Box::new(verdict))),
            gate: Arc::default(),
            metrics: Metrics::new(),
            clock,
        }
    }

    fn rollout(&self, policy: RolloutPolicy) -> Rollout<MemoryRolloutTarget> {
        let (verdicts, clock, gate) =
            (Arc::clone(&self.verdicts), self.clock.shared(), Arc::clone(&self.gate));
        let judge = ClosureAnalysis::new("errors", move |_| {
            let verdict = (verdicts.lock().unwrap())(clock.now());
            async move { Ok(verdict) }
        });
        let gate = ClosureGate::new("backup", move || {
            let closed = gate.lock().unwrap().clone();
            async move { Ok(closed) }
        });
        Rollout::builder("api", self.target.clone(), Arc::new(self.store.clone()))
            .policy(policy)
            .gate(gate)
            .analysis(judge)
            .metrics(&self.metrics)
            .build()
            .unwrap()
    }

    async fn begun(&self, policy: RolloutPolicy) -> Rollout<MemoryRolloutTarget> {
        let rollout = self.rollout(policy);
        rollout.begin(&self.context, Release::new("v2", "app:2").unwrap()).await.unwrap();
        rollout
    }

    /// Runs every ten seconds until it is over or `seconds` have passed.
    async fn run(&self, rollout: &Rollout<MemoryRolloutTarget>, seconds: u64) -> Option<RolloutEnd> {
        for _ in 0..seconds / 10 {
            rollout.run(&self.context).await.unwrap();
            let state = rollout.book(&self.context).state().await.unwrap().unwrap();
            if let Some(end) = state.end() {
                return Some(end.clone());
            }
            self.clock.advance(Duration::from_secs(10));
        }
        None
    }

    fn split(&self) -> String {
        self.target.view().split.unwrap().to_string()
    }
}

fn silent(_: DateTime<Utc>) -> Verdict {
    Verdict::NoData("no series".to_owned())
}

fn well(_: DateTime<Utc>) -> Verdict {
    Verdict::Pass
}

#[tokio::test]
async fn a_good_release_goes_out_step_by_step() {
    let house = House::new(well);
    let rollout = house.begun(RolloutPolicy::default()).await;
    for (seconds, split) in [
        (10, "95 % to v1, 5 % to v2"),
        (300, "75 % to v1, 25 % to v2"),
        (300, "50 % to v1, 50 % to v2"),
        (300, "100 % to v2"),
    ] {
        assert_eq!(house.run(&rollout, seconds).await, None);
        assert_eq!(house.split(), split);
    }
    let told = rollout.explain(&house.context).await.unwrap().unwrap().to_string();
    assert!(told.contains("step 4 of 4, 100 % to v2; 0 of 5 passes, 0 failures"), "{told}");
    let book = rollout.book(&house.context);
    assert_eq!(book.current().await.unwrap().as_deref(), Some("v1"));
    assert_eq!(house.run(&rollout, 310).await, Some(RolloutEnd::Promoted { left: String::new() }));
    assert_eq!(book.current().await.unwrap().as_deref(), Some("v2"));
    assert_eq!(house.target.view().revisions.keys().collect::<Vec<_>>(), ["v2"]);
    assert_eq!(book.history().await.unwrap().len(), 1);
    assert!(!book.abort("too late").await.unwrap());
}

#[tokio::test]
async fn a_rollback_begins_at_most_two_intervals_after_the_first_bad_sample() {
    // What follows the first bad sample.
    let later: [fn() -> Verdict; 3] = [
        || Verdict::Fail("errors".to_owned()),
        || Verdict::NoData("no series".to_owned()),
        || Verdict::Inconclusive("few".to_owned()),
    ];
    for (after, bad_from) in later.into_iter().flat_map(|after| [60, 500, 1_150].map(|from| (after, from))) {
        let first = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&first);
        let house = House::new(move |now| {
            let mut seen = seen.lock().unwrap();
            match (now.timestamp() < bad_from, *seen) {
                (true, _) => Verdict::Pass,
                (false, None) => {
                    *seen = Some(now);
                    Verdict::Fail("errors".to_owned())
                }
                (false, Some(_)) => after(),
            }
        });
        let rollout = house.begun(RolloutPolicy::default()).await;
        let end = house.run(&rollout, 3_000).await.unwrap();
        assert!(matches!(&end, RolloutEnd::RolledBack { .. }), "{end:?}");
        assert_eq!(house.split(), "100 % to v1");
        let state = rollout.book(&house.context).state().await.unwrap().unwrap();
        let first = first.lock().unwrap().unwrap();
        assert!(state.since - first <= TimeDelta::seconds(120), "{} after {first}", state.since);
    }
}

#[tokio::test]
async fn silence_never_promotes() {
    let house = House::new(silent);
    let rollout = house.begun(RolloutPolicy::default()).await;
    let end = house.run(&rollout, 620).await.unwrap();
    assert!(matches!(&end, RolloutEnd::RolledBack { reason } if reason.contains("no series")), "{end:?}");

    let house = House::new(silent);
    let policy = RolloutPolicy { when_silent: WhenSilent::Pause, ..RolloutPolicy::default() };
    let rollout = house.begun(policy).await;
    assert_eq!(house.run(&rollout, 20_000).await, None);
    assert_eq!(house.split(), "95 % to v1, 5 % to v2");
    assert!(rollout.book(&house.context).state().await.unwrap().unwrap().paused.is_some());
    *house.verdicts.lock().unwrap() = Box::new(well);
    assert!(rollout.book(&house.context).resume().await.unwrap());
    assert_eq!(house.run(&rollout, 3_000).await.unwrap().name(), "promoted");
}

#[tokio::test]
async fn gates_are_waited_for_and_people_may_abort() {
    let house = House::new(well);
    *house.gate.lock().unwrap() = Some("the backup is 3 days old".to_owned());
    let rollout = house.begun(RolloutPolicy::default()).await;
    let end = house.run(&rollout, 4_000).await.unwrap();
    let reason = "the gates did not open in time: backup: the backup is 3 days old".to_owned();
    assert_eq!(end, RolloutEnd::Refused { reason });
    assert_eq!(house.target.view().version, "1");

    *house.gate.lock().unwrap() = None;
    let rollout = house.begun(RolloutPolicy::default()).await;
    house.run(&rollout, 400).await;
    let other = Release::new("v3", "app:3").unwrap();
    let error = rollout.begin(&house.context, other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(rollout.book(&house.context).abort("I saw a bug").await.unwrap());
    let end = house.run(&rollout, 100).await.unwrap();
    assert_eq!(end, RolloutEnd::RolledBack { reason: "aborted: I saw a bug".to_owned() });
    assert_eq!((house.split(), house.target.view().revisions.len()), ("100 % to v1".to_owned(), 1));
}

#[tokio::test]
async fn a_check_that_hangs_counts_as_closed() {
    let hangs = || ClosureGate::new("hangs", std::future::pending);
    for (staging, wanted) in [
        (true, "the staging check did not pass: hangs: nobody can tell"),
        (false, "the gates did not open in time: hangs: nobody can tell"),
    ] {
        let house = House::new(well);
        let builder = Rollout::builder("api", house.target.clone(), Arc::new(house.store.clone()));
        let builder = if staging { builder.staging(hangs()) } else { builder.gate(hangs()) };
        let analysis = ClosureAnalysis::new("good", |_| async { Ok(Verdict::Pass) });
        let rollout = builder.analysis(analysis).build().unwrap();
        rollout.begin(&house.context, Release::new("v2", "app:2").unwrap()).await.unwrap();
        let passing = async {
            loop {
                tokio::task::yield_now().await;
                house.clock.advance(Duration::from_secs(1));
            }
        };
        let running = async {
            for _ in 0..1_000 {
                rollout.run(&house.context).await.unwrap();
                let state = rollout.book(&house.context).state().await.unwrap().unwrap();
                if let Some(end) = state.end() {
                    return end.clone();
                }
                tokio::task::yield_now().await;
            }
            panic!("it does not end");
        };
        tokio::select! {
            end = running => match end {
                RolloutEnd::Refused { reason } => assert!(reason.starts_with(wanted), "{reason}"),
                other => panic!("{other:?}"),
            },
            () = passing => {}
        }
    }
}

#[tokio::test]
async fn what_somebody_changes_by_hand_stays() {
    let house = House::new(well);
    let rollout = house.begun(RolloutPolicy::default()).await;
    house.run(&rollout, 100).await;
    let by_hand = TrafficSplit::canary("v1", "v2", 40);
    house.target.set_traffic(&house.target.view().version, &by_hand).await.unwrap();
    let before = house.target.view();
    let end = house.run(&rollout, 100).await.unwrap();
    let reason = "the traffic is 60 % to v1, 40 % to v2, and the rollout left 95 % to v1, 5 % to v2";
    assert_eq!(end, RolloutEnd::HandedBack { reason: reason.to_owned() });
    assert_eq!(house.target.view(), before);
    let again = rollout.begin(&house.context, Release::new("v3", "app:3").unwrap()).await.unwrap_err();
    assert!(again.to_string().contains("the traffic is split"), "{again}");
}

#[tokio::test]
async fn a_candidate_that_stops_being_ready_goes_back_at_once_even_in_a_pause() {
    let house = House::new(well);
    let rollout = house.begun(RolloutPolicy::default()).await;
    house.run(&rollout, 100).await;
    assert!(rollout.book(&house.context).pause("lunch").await.unwrap());
    house.run(&rollout, 2_000).await;
    assert_eq!(house.split(), "95 % to v1, 5 % to v2");
    house.target.becomes("v2", Readiness::Failed { reason: "out of memory".to_owned() });
    let end = house.run(&rollout, 20).await.unwrap();
    assert_eq!(end, RolloutEnd::RolledBack { reason: "v2 failed: out of memory".to_owned() });
}

#[tokio::test]
async fn an_analysis_that_hangs_has_no_data_and_hides_no_failure() {
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
    let canary = CanaryView {
        stable: "v1".to_owned(),
        candidate: "v2".to_owned(),
        percent: 5,
        since: DateTime::UNIX_EPOCH,
    };
    let hangs: Arc<dyn Analysis> = Arc::new(ClosureAnalysis::new("hangs", |_| std::future::pending()));
    let fails: Arc<dyn Analysis> =
        Arc::new(ClosureAnalysis::new("fails", |_| async { Ok(Verdict::Fail("errors".to_owned())) }));
    for (analyses, said) in
        [(vec![Arc::clone(&hangs)], "no data: hangs"), (vec![hangs, fails], "fail: fails: errors")]
    {
        let (shared, canary) = (clock.shared(), canary.clone());
        let judging = analysis::judge_all(&analyses, &canary, &shared, Duration::from_secs(30));
        let passing = async {
            for _ in 0..40 {
                tokio::task::yield_now().await;
                clock.advance(Duration::from_secs(1));
            }
        };
        let (verdict, ()) = tokio::join!(judging, passing);
        assert!(verdict.to_string().starts_with(said), "{verdict}");
    }
}

#[test]
fn bad_policies_and_releases_are_refused_by_name() {
    let policy = RolloutPolicy::default();
    for (policy, field) in [
        (RolloutPolicy { steps: vec![5, 50], ..policy.clone() }, "steps: [5, 50]"),
        (RolloutPolicy { steps: vec![50, 5, 100], ..policy.clone() }, "steps: [50, 5, 100]"),
        (RolloutPolicy { steps: vec![], ..policy.clone() }, "steps: []"),
        (RolloutPolicy { passes: 0, ..policy.clone() }, "passes: 0"),
        (RolloutPolicy { failures_in_a_row: 3, ..policy.clone() }, "failures_in_a_row: 3"),
        (RolloutPolicy { silence: Duration::from_secs(61), ..policy.clone() }, "silence: 61s"),
        (RolloutPolicy { interval: Duration::ZERO, ..policy }, "interval: 0ns"),
    ] {
        let error = policy.check().unwrap_err();
        assert!(error.to_string().contains(field), "{error}");
    }
    for (revision, image) in [("", "a"), ("V2", "a"), ("v2-", "a"), ("v2", ""), ("v2", "a b")] {
        assert_eq!(Release::new(revision, image).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let shares = |a, b| TrafficSplit::new([("a".to_owned(), a), ("b".to_owned(), b)]);
    assert!(shares(50, 49).is_err() && shares(200, 100).is_err());
    assert_eq!(shares(100, 0).unwrap(), TrafficSplit::all("a"));
}
