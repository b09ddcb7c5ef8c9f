//! Engines that are started again with their samples, in simulated time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use alfred_ops_core::{ClosureSource, Error, ErrorKind, Labels, Sample, SimulatedClock, TaskSet};
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{AlertEngine, AlertEngineBuilder};
use crate::{MemorySink, Rule, Target};

/// Stands for a target that is away.
const AWAY: u32 = 99_999;

/// A target that counts, and what an engine is told to watch of it.
struct World {
    clock: SimulatedClock,
    count: Arc<AtomicU32>,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let clock = SimulatedClock::starting_at(at(0));
        Self { clock, count: Arc::default(), folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("samples")
    }

    fn builder(&self) -> AlertEngineBuilder {
        let count = Arc::clone(&self.count);
        let source = ClosureSource::new("count", move || match count.load(Ordering::SeqCst) {
            AWAY => Err(Error::new(ErrorKind::Unavailable, "read", "away")),
            count => Ok(vec![Sample::new(Labels::metric("done_total"), f64::from(count))]),
        });
        AlertEngine::builder()
            .target(Target::in_process("agents", "a:1", Arc::new(source)))
            .rules([
                Rule::new("Rate", "rate(done_total[5m]) >= 0"),
                Rule::new("Average", "avg_over_time(done_total[10m]) >= 0"),
                Rule::new("Present", "done_total >= 0"),
            ])
            .sink(Arc::new(MemorySink::new("memory")))
            .clock(self.clock.shared())
    }

    fn keeping(&self) -> AlertEngine {
        self.builder().snapshot(self.path(), Duration::from_secs(60)).build().unwrap()
    }

    /// Steps an engine once a half minute, the count being the square of the half minutes.
    async fn step(&self, engine: &AlertEngine, half_minutes: std::ops::Range<u32>) {
        for half_minute in half_minutes {
            self.count.store(half_minute * half_minute, Ordering::SeqCst);
            engine.step(half(half_minute)).await;
        }
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

fn half(half_minutes: u32) -> DateTime<Utc> {
    at(i64::from(half_minutes) * 30)
}

/// The rules that hold and the values for which they do.
fn values(engine: &AlertEngine) -> Vec<(String, f64)> {
    let alerts = engine.alerts();
    let holding = alerts.iter().filter(|alert| alert.resolved_at.is_none());
    let mut values: Vec<(String, f64)> = holding
        .map(|alert| (alert.labels.get("alertname").unwrap_or_default().to_owned(), alert.value))
        .collect();
    values.sort_by(|left, right| left.0.cmp(&right.0));
    values
}

#[tokio::test]
async fn a_restarted_engine_answers_as_one_that_never_stopped() {
    let world = World::new();
    let (stopped, steady) = (world.keeping(), world.builder().build().unwrap());
    world.step(&stopped, 0..19).await;
    world.step(&steady, 0..19).await;
    // It is away for two minutes, in which the other sees nothing new either.
    let (again, empty) = (world.keeping(), world.builder().build().unwrap());
    for engine in [&steady, &again, &empty] {
        world.step(engine, 22..23).await;
    }
    assert_eq!(values(&steady).len(), 3);
    assert_eq!(values(&again), values(&steady));
    // Without its samples an engine knows no rate and another average.
    assert_eq!(values(&empty), [("Average".to_owned(), 484.0), ("Present".to_owned(), 484.0)]);
    let status = again.status().snapshot.unwrap();
    let restored = status.restored.unwrap();
    assert_eq!((restored.series, restored.samples), (1, 19));
    assert_eq!((status.restored_at, restored.created_at), (Some(half(22)), half(18)));
}

#[tokio::test]
async fn a_host_keeps_the_bytes_where_it_likes() {
    let world = World::new();
    let (stopped, again) = (world.builder().build().unwrap(), world.builder().build().unwrap());
    world.step(&stopped, 0..19).await;
    // Too late is better than not at all: what has been scraped since goes on from it.
    world.step(&again, 19..20).await;
    assert_eq!(again.restore_snapshot(&stopped.snapshot(half(19)), half(19)).unwrap().samples, 19);
    world.step(&stopped, 19..22).await;
    world.step(&again, 20..22).await;
    assert_eq!(values(&again), values(&stopped));
    assert_eq!(again.restore_snapshot(b"alfredss", half(22)).unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(again.status().snapshot.is_none());
}

#[tokio::test]
async fn what_vanished_during_the_outage_is_present_until_lookback_passes() {
    let world = World::new();
    world.step(&world.keeping(), 0..19).await;
    let (written, again) = (half(18), world.builder().snapshot(world.path(), Duration::from_secs(3600)));
    let again = again.build().unwrap();
    world.count.store(AWAY, Ordering::SeqCst);
    let mut present = Vec::new();
    for half_minute in 20..32 {
        again.step(half(half_minute)).await;
        present.push(values(&again).iter().any(|(rule, _)| rule == "Present"));
    }
    // The target has no series to end: it was not seen before.
    let expected: Vec<bool> =
        (20..32).map(|half_minute| half(half_minute) < written + TimeDelta::minutes(5)).collect();
    assert_eq!(present, expected);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_holds_nothing_up_and_is_replaced() {
    let world = World::new();
    std::fs::write(world.path(), "no snapshot").unwrap();
    let engine = world.keeping();
    assert_eq!(engine.restore(half(0)).await.unwrap_err().kind(), ErrorKind::Corrupt);
    let status = engine.status().snapshot.unwrap();
    assert_eq!((status.restored_at, status.restored), (Some(half(0)), None));
    assert!(status.last_error.unwrap().contains("the snapshot is damaged"));
    world.step(&engine, 1..4).await;
    assert_eq!(values(&engine).len(), 3);
    let status = engine.status().snapshot.unwrap();
    assert_eq!((status.saved_at, status.last_error), (Some(half(2)), None));
    assert!(status.bytes > 0);
    assert_eq!(bytes_of(&world.path()), status.bytes);
    // A folder where the file should be: neither read nor written, and told.
    std::fs::remove_file(world.path()).unwrap();
    std::fs::create_dir(world.path()).unwrap();
    let engine = world.keeping();
    world.step(&engine, 4..8).await;
    assert_eq!(values(&engine).len(), 3);
    let status = engine.status().snapshot.unwrap();
    assert_eq!((status.restored_at, status.saved_at), (None, None));
    assert!(status.last_error.unwrap().contains("read snapshot"));
}

fn bytes_of(path: &Path) -> usize {
    usize::try_from(std::fs::metadata(path).unwrap().len()).unwrap()
}

#[tokio::test]
async fn a_run_restores_first_and_writes_last() {
    let world = World::new();
    world.step(&world.keeping(), 0..19).await;
    world.clock.advance(Duration::from_secs(600));
    let (engine, cancel) = (world.keeping(), CancellationToken::new());
    let tasks = TaskSet::new(&CancellationToken::new());
    let (runner, token) = (engine.clone(), cancel.clone());
    let run = tasks.spawn(async move { runner.run(token).await });
    // The scraper, the evaluator and the one who writes snapshots sleep.
    while world.clock.sleepers() != 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(engine.status().samples.samples, 19);
    world.clock.advance(Duration::from_secs(10));
    cancel.cancel();
    run.await.unwrap().unwrap();
    let status = engine.status().snapshot.unwrap();
    assert_eq!(status.saved_at, Some(at(610)));
    assert_eq!(bytes_of(&world.path()), status.bytes);
}

#[test]
fn a_snapshot_needs_a_file_and_an_interval() {
    let error = AlertEngine::builder().snapshot("/", Duration::ZERO).build().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("interval is zero") && text.contains("\"/\" names no file"), "{text}");
}
