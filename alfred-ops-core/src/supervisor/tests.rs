use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::simulation::{Replica, TICK, TTL, World, quiesce};
use super::{JobOptions, Supervisor};
use crate::job::JobState;
use crate::{
    Activation, EntropyExt as _, Error, ErrorKind, Job, JobContext, JobReport, MemoryStateStore, MissedRuns,
    MockJob, Outcome, Result, Retry, RunRecord, SeededEntropy, StateStore as _, Status, Trigger,
};

/// Works for a while of its replica's time.
#[derive(Debug)]
struct Busy {
    activation: Activation,
    takes: Duration,
}

impl Busy {
    fn every_second() -> Self {
        Self { activation: Activation::Every(Duration::from_secs(1)), takes: Duration::from_millis(300) }
    }
}

#[async_trait::async_trait]
impl Job for Busy {
    fn name(&self) -> &'static str {
        "busy"
    }

    fn activation(&self) -> Activation {
        self.activation.clone()
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        tokio::select! {
            () = context.cancel.cancelled() => {}
            () = context.clock.sleep(self.takes) => {}
        }
        context.check("work")?;
        Ok(JobReport::new("worked"))
    }
}

/// Fails or panics as told by the number of its run.
#[derive(Debug)]
struct Scripted {
    runs: AtomicU64,
    script: fn(u64) -> Result<JobReport>,
}

#[async_trait::async_trait]
impl Job for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn activation(&self) -> Activation {
        Activation::Every(Duration::from_secs(60))
    }

    async fn run(&self, _context: &JobContext) -> Result<JobReport> {
        (self.script)(self.runs.fetch_add(1, Ordering::Relaxed))
    }
}

async fn history(replica: &Replica, job: &str) -> Vec<RunRecord> {
    replica.supervisor.handle(job).unwrap().history().await.unwrap()
}

fn second(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

/// Every settled scheduled slot that was ever seen in the store, with how often it was settled.
#[derive(Debug, Default)]
struct Audit {
    slots: BTreeMap<DateTime<Utc>, Vec<RunRecord>>,
}

impl Audit {
    async fn look(&mut self, store: &MemoryStateStore) {
        let Some(document) = store.get("job/alfred-ops/busy").await.unwrap() else { return };
        let state: JobState = document.parse().unwrap();
        for record in state.history {
            let settled = record.outcome.is_settled() && record.trigger == Trigger::Schedule;
            let seen = self.slots.entry(record.slot).or_default();
            if settled && !seen.contains(&record) {
                seen.push(record);
            }
        }
    }

    /// No slot was settled twice and none from the first to `last` is unaccounted for.
    fn verify(&self, seed: u64, last: i64) {
        let mut expected = second(1);
        for (slot, records) in self.slots.iter().filter(|(_, records)| !records.is_empty()) {
            assert_eq!(records.len(), 1, "seed {seed}: settled twice: {records:?}");
            let skipped = i64::try_from(records[0].skipped).unwrap();
            assert_eq!(
                *slot,
                expected + TimeDelta::seconds(skipped),
                "seed {seed}: slot {expected} is missing"
            );
            expected = *slot + TimeDelta::seconds(1);
        }
        assert!(expected > second(last), "seed {seed}: nothing after {expected}, wanted {last} s");
    }
}

async fn chaos(seed: u64, missed: MissedRuns) -> u64 {
    let mut world = World::new();
    let options = || JobOptions::default().with_missed(missed).with_history_max(200);
    let mut replicas: Vec<Replica> =
        (0..3).map(|_| world.start(Busy::every_second(), options(), |builder| builder.lease(TTL))).collect();
    let chance = SeededEntropy::new(seed);
    let mut audit = Audit::default();
    for _ in 0..12 {
        world.pass(&mut replicas, TICK * u32::try_from(10 + chance.below(30)).unwrap()).await;
        audit.look(&world.store).await;
        let Some(leader) = replicas.iter().position(|replica| replica.supervisor.is_leader()) else {
            continue;
        };
        if chance.below(2) == 0 {
            replicas.remove(leader).crash().await;
            replicas.push(world.start(Busy::every_second(), options(), |builder| builder.lease(TTL)));
        } else {
            replicas[leader].pause();
            world.pass(&mut replicas, TICK * u32::try_from(30 + chance.below(50)).unwrap()).await;
            audit.look(&world.store).await;
            replicas[leader].resume().await;
        }
        let leaders = replicas.iter().filter(|replica| replica.supervisor.is_leader()).count();
        assert!(leaders <= 1, "seed {seed}: {leaders} leaders");
    }
    world.pass(&mut replicas, Duration::from_secs(20)).await;
    audit.look(&world.store).await;
    let now = crate::Clock::now(&world.clock).timestamp();
    audit.verify(seed, now - 2);
    for replica in &replicas {
        replica.begin_shutdown();
    }
    world.pass(&mut replicas, Duration::from_secs(3)).await;
    for replica in replicas {
        replica.ended().await.unwrap();
    }
    world.fenced.load(Ordering::Relaxed)
}

#[tokio::test]
async fn crashed_and_paused_leaders_lose_no_slot_and_settle_none_twice() {
    let mut fenced = 0;
    for seed in 0..10 {
        fenced += chaos(seed, MissedRuns::CatchUp { max: 1_000, window: Duration::MAX }).await;
        fenced += chaos(seed, MissedRuns::FireOnce).await;
    }
    assert!(fenced > 0, "no late write was ever tried: the test does not reach what it is for");
}

#[tokio::test]
async fn a_paused_leader_writes_late_and_is_refused() {
    let mut world = World::new();
    let start = |world: &mut World| {
        world.start(Busy::every_second(), JobOptions::default(), |builder| builder.lease(TTL))
    };
    let mut replicas = vec![start(&mut world)];
    world.pass(&mut replicas, Duration::from_millis(1_200)).await;
    assert!(replicas[0].supervisor.is_leader());
    replicas.push(start(&mut world));
    // In the middle of a run.
    replicas[0].pause();
    world.pass(&mut replicas, Duration::from_secs(6)).await;
    assert!(replicas[1].supervisor.is_leader(), "the standby took over");
    let records = history(&replicas[1], "busy").await;
    assert_eq!((records[0].slot, records[0].outcome), (second(1), Outcome::Abandoned));
    assert!(records[1].epoch > records[0].epoch, "{records:?}");
    replicas[0].resume().await;
    world.pass(&mut replicas, Duration::from_secs(2)).await;
    assert!(!replicas[0].supervisor.is_leader(), "it found out");
    let after = history(&replicas[1], "busy").await;
    assert!(after[2..].iter().all(|record| record.epoch == records[1].epoch), "{after:?}");
}

#[tokio::test]
async fn a_shutdown_waits_for_runs_and_frees_the_lease() {
    let mut world = World::new();
    let start = |world: &mut World| {
        world.start(Busy::every_second(), JobOptions::default(), |builder| builder.lease(TTL))
    };
    let mut replicas = vec![start(&mut world), start(&mut world)];
    world.pass(&mut replicas, Duration::from_millis(1_100)).await;
    let leader = replicas.iter().position(|replica| replica.supervisor.is_leader()).unwrap();
    replicas[leader].begin_shutdown();
    quiesce().await;
    assert!(replicas[leader].has_ended(), "a run that heeds its token stops without time passing");
    replicas.remove(leader).ended().await.unwrap();
    let records = history(&replicas[0], "busy").await;
    assert_eq!(records.last().unwrap().outcome, Outcome::Cancelled);
    world.pass(&mut replicas, TTL / 2).await;
    assert!(replicas[0].supervisor.is_leader(), "a freed lease needs not run out");
    let records = history(&replicas[0], "busy").await;
    let settled: Vec<_> = records.iter().filter(|record| record.outcome.is_settled()).collect();
    assert_eq!(settled[0].slot, second(1), "the cancelled slot runs again: {records:?}");
}

#[tokio::test]
async fn a_job_that_does_not_stop_is_dropped_at_the_drain_limit_and_named() {
    #[derive(Debug)]
    struct Deaf;
    #[async_trait::async_trait]
    impl Job for Deaf {
        fn name(&self) -> &'static str {
            "deaf"
        }
        fn activation(&self) -> Activation {
            Activation::Service
        }
        async fn run(&self, _context: &JobContext) -> Result<JobReport> {
            std::future::pending().await
        }
    }
    let mut world = World::new();
    let drain = Duration::from_secs(5);
    let mut replicas = vec![world.start(Deaf, JobOptions::default(), |builder| builder.drain(drain))];
    world.pass(&mut replicas, Duration::from_secs(1)).await;
    assert!(replicas[0].supervisor.handle("deaf").unwrap().progress().is_some());
    replicas[0].begin_shutdown();
    world.pass(&mut replicas, Duration::from_millis(4_900)).await;
    assert!(!replicas[0].has_ended(), "it has until the limit");
    world.pass(&mut replicas, TICK).await;
    let error = replicas.remove(0).ended().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("deaf") && error.to_string().contains("5s"), "{error}");
}

#[tokio::test]
async fn failures_are_retried_by_class_and_reported() {
    let script: fn(u64) -> Result<JobReport> = |run| match run {
        0 => Err(Error::new(ErrorKind::Unavailable, "call", "down")),
        1 => panic!("on purpose"),
        2 => Err(Error::new(ErrorKind::InvalidInput, "call", "wrong").with_retry(Retry::Never)),
        _ => Ok(JobReport::new("fine")),
    };
    let job = Scripted { runs: AtomicU64::new(0), script };
    let mut world = World::new();
    let mut replicas = vec![world.start(job, JobOptions::default(), |builder| builder)];
    world.pass(&mut replicas, Duration::from_secs(60)).await;
    let status = || replicas[0].supervisor.health().view().status;
    assert!(matches!(status(), Status::Degraded { reason } if reason.contains("down")));
    world.pass(&mut replicas, Duration::from_secs(121)).await;
    let records = history(&replicas[0], "scripted").await;
    let short: Vec<_> = records.iter().map(|r| (r.slot, r.trigger, r.outcome)).collect();
    assert_eq!(
        short,
        [
            (second(60), Trigger::Schedule, Outcome::Failed),
            // An outage is retried after a second; a panic is a fault that no retry mends.
            (second(61), Trigger::Retry, Outcome::Failed),
            (second(120), Trigger::Schedule, Outcome::Failed),
            (second(180), Trigger::Schedule, Outcome::Succeeded),
        ]
    );
    assert!(records[1].error.as_ref().unwrap().contains("panicked"), "{records:?}");
    assert_eq!(replicas[0].supervisor.health().view().status, Status::Healthy);
    let metrics = replicas[0].supervisor.metrics().render();
    let line = "alfred_ops_job_runs_total{job=\"scripted\",outcome=\"failed\"} 3";
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn wakes_coalesce_and_run_between_slots() {
    let mut world = World::new();
    let job = Busy { activation: Activation::OnWake, takes: Duration::from_secs(1) };
    let mut replicas = vec![world.start(job, JobOptions::default(), |builder| builder)];
    world.pass(&mut replicas, Duration::from_secs(5)).await;
    let handle = replicas[0].supervisor.handle("busy").unwrap();
    assert!(handle.history().await.unwrap().is_empty());
    handle.wake();
    handle.wake();
    world.pass(&mut replicas, Duration::from_millis(500)).await;
    // This one came while the job looked at the world: it looks once more.
    handle.wake();
    world.pass(&mut replicas, Duration::from_secs(5)).await;
    let records = handle.history().await.unwrap();
    assert_eq!(records.len(), 2, "{records:?}");
    assert!(records.iter().all(|record| record.trigger == Trigger::Wake));
}

#[tokio::test]
async fn a_run_over_its_time_limit_is_cancelled_and_counts_as_timed_out() {
    let mut world = World::new();
    let job = Busy { activation: Activation::Every(Duration::from_secs(60)), takes: Duration::from_secs(50) };
    let options = JobOptions::default().with_time_limit(Duration::from_secs(5));
    let mut replicas = vec![world.start(job, options, |builder| builder)];
    world.pass(&mut replicas, Duration::from_millis(65_500)).await;
    let records = history(&replicas[0], "busy").await;
    assert_eq!(records[0].outcome, Outcome::Failed);
    assert!(records[0].error.as_ref().unwrap().contains("limit of 5s"), "{records:?}");
}

#[tokio::test]
async fn bad_input_is_refused_all_at_once() {
    let mut odd = MockJob::new();
    odd.expect_name().return_const("a/b".to_owned());
    odd.expect_activation().returning(|| Activation::Every(Duration::ZERO));
    let error = Supervisor::builder(Arc::new(MemoryStateStore::default()))
        .name("")
        .job(Busy::every_second())
        .job_with(Busy::every_second(), JobOptions::default().with_history_max(0))
        .job(odd)
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let text = error.to_string();
    for part in
        ["the name \"\"", "two jobs are named \"busy\"", "\"a/b\"", "keeps 0 runs", "below a millisecond"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}
