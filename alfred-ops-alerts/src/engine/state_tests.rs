//! Engines that are started again, in simulated time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use alfred_ops_core::{
    Clock, ClosureSource, Document, Error, ErrorKind, Expected, Fence, Labels, MemoryStateStore, Result,
    Sample, SimulatedClock, StateStore, TaskSet, Write,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::AlertEngine;
use crate::sink::MockAlertSink;
use crate::{AlertState, MemorySink, NotificationStatus, Reason, Receipt, Rule, Target};

const KEY: &str = "alerts/state";

/// A state store that can be switched off.
#[derive(Debug)]
struct Switched {
    inner: MemoryStateStore,
    off: AtomicBool,
}

impl Switched {
    fn check(&self) -> Result<()> {
        match self.off.load(Ordering::SeqCst) {
            true => Err(Error::new(ErrorKind::Unavailable, "ask store", "switched off")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl StateStore for Switched {
    async fn get(&self, key: &str) -> Result<Option<Document>> {
        self.check()?;
        self.inner.get(key).await
    }

    async fn put(&self, write: &Write) -> Result<u64> {
        self.check()?;
        self.inner.put(write).await
    }

    async fn delete(&self, key: &str, expected: Expected, fence: Option<Fence>) -> Result<()> {
        self.inner.delete(key, expected, fence).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Document>> {
        self.inner.list(prefix, after, limit).await
    }
}

/// A world in which engines come and go.
struct World {
    clock: SimulatedClock,
    /// 99 stands for a target that is away.
    queue: Arc<AtomicU32>,
    store: Arc<Switched>,
    sink: Arc<MemorySink>,
}

impl World {
    fn new() -> Self {
        let clock = SimulatedClock::starting_at(at(0));
        let store =
            Arc::new(Switched { inner: MemoryStateStore::new(clock.shared()), off: AtomicBool::new(false) });
        Self { clock, queue: Arc::default(), store, sink: Arc::new(MemorySink::new("memory")) }
    }

    fn set(&self, value: u32) {
        self.queue.store(value, Ordering::SeqCst);
    }

    fn engine_of(&self, rule: Rule, sink: Arc<dyn crate::AlertSink>) -> AlertEngine {
        let value = Arc::clone(&self.queue);
        let source = ClosureSource::new("queue", move || match value.load(Ordering::SeqCst) {
            99 => Err(Error::new(ErrorKind::Unavailable, "read", "away")),
            value => Ok(vec![Sample::new(Labels::metric("queue"), f64::from(value))]),
        });
        AlertEngine::builder()
            .target(Target::in_process("agents", "a:1", Arc::new(source)))
            .rules([rule])
            .sink(sink)
            .state(Arc::<Switched>::clone(&self.store), KEY)
            .clock(self.clock.shared())
            .build()
            .unwrap()
    }

    fn engine(&self) -> AlertEngine {
        self.engine_of(long_queue(), Arc::<MemorySink>::clone(&self.sink))
    }

    fn told(&self) -> Vec<NotificationStatus> {
        self.sink.notifications().iter().map(|told| told.status).collect()
    }
}

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
}

fn long_queue() -> Rule {
    Rule::new("QueueLong", "queue > 10").with_for(Duration::from_secs(20 * 60))
}

fn states(engine: &AlertEngine) -> Vec<AlertState> {
    engine.alerts().iter().map(|alert| alert.state).collect()
}

/// An engine that has fired and told so, its queue long since minute 0.
async fn fired(world: &World) -> AlertEngine {
    let engine = world.engine();
    world.set(11);
    for minute in 0..=20 {
        engine.step(at(minute)).await;
    }
    assert_eq!(states(&engine), [AlertState::Firing]);
    engine
}

#[tokio::test]
async fn what_fires_goes_on_and_is_not_told_again() {
    let world = World::new();
    drop(fired(&world).await);
    let engine = world.engine();
    assert!(engine.step(at(25)).await.is_empty());
    let alert = engine.alerts().remove(0);
    assert_eq!((alert.state, alert.active_at, alert.fired_at), (AlertState::Firing, at(0), Some(at(20))));
    assert_eq!(world.told(), [NotificationStatus::Firing]);
    assert_eq!(engine.status().state.unwrap().restored, 1);
    world.set(0);
    assert_eq!(engine.step(at(26)).await[0].reason, Reason::Cleared);
    assert_eq!(world.told(), [NotificationStatus::Firing, NotificationStatus::Resolved]);
}

#[tokio::test]
async fn what_cleared_meanwhile_is_told_as_resolved() {
    let world = World::new();
    drop(fired(&world).await);
    world.set(0);
    // Much longer than the tolerance: whoever was told must hear the end all the same.
    world.engine().step(at(600)).await;
    assert_eq!(world.told(), [NotificationStatus::Firing, NotificationStatus::Resolved]);
}

#[tokio::test]
async fn a_series_that_is_not_there_yet_resolves_nothing() {
    let world = World::new();
    drop(fired(&world).await);
    world.set(99);
    let engine = world.engine();
    for minute in 21..26 {
        engine.step(at(minute)).await;
        assert_eq!(states(&engine), [AlertState::Firing], "{minute}");
    }
    assert_eq!(engine.step(at(26)).await[0].reason, Reason::Vanished);
}

#[tokio::test]
async fn pending_alerts_go_on_within_the_tolerance() {
    for (restart, fires) in [(10, 20), (40, 50), (66, 86)] {
        let world = World::new();
        let engine = world.engine();
        world.set(11);
        for minute in 0..=5 {
            engine.step(at(minute)).await;
        }
        let engine = world.engine();
        let mut fired = None;
        for minute in restart..100 {
            let firing = engine.step(at(minute)).await.iter().any(|change| change.to == AlertState::Firing);
            fired = fired.or(firing.then_some(minute));
        }
        // 15 min remained at minute 5; the outage does not count, and after more than an hour all starts over.
        let expected = if restart == 66 { fires } else { restart + 15 };
        assert_eq!(fired, Some(expected), "{restart}");
    }
}

#[tokio::test]
async fn state_of_a_changed_rule_is_not_taken_over() {
    let world = World::new();
    drop(fired(&world).await);
    let changed = Rule::new("QueueLong", "queue > 9").with_for(Duration::from_secs(20 * 60));
    let engine = world.engine_of(changed, Arc::<MemorySink>::clone(&world.sink));
    engine.step(at(21)).await;
    assert_eq!(states(&engine), [AlertState::Pending]);
}

#[tokio::test]
async fn a_notification_that_never_arrived_is_told_after_the_restart() {
    let world = World::new();
    let mut sink = MockAlertSink::new();
    sink.expect_name().return_const("memory".to_owned());
    sink.expect_deliver().returning(|_| Err(Error::new(ErrorKind::Unavailable, "deliver", "away")));
    let rule = || long_queue().with_for(Duration::ZERO);
    let engine = world.engine_of(rule(), Arc::new(sink));
    world.set(11);
    engine.step(at(0)).await;
    let mut sink = MockAlertSink::new();
    sink.expect_name().return_const("memory".to_owned());
    sink.expect_deliver().times(1).returning(|_| Ok(Receipt::accepted()));
    let engine = world.engine_of(rule(), Arc::new(sink));
    engine.step(at(1)).await;
    assert_eq!(engine.alerts()[0].fired_at, Some(at(0)));
}

#[tokio::test]
async fn a_store_that_is_away_only_delays() {
    let world = World::new();
    drop(fired(&world).await);
    world.store.off.store(true, Ordering::SeqCst);
    let engine = world.engine();
    engine.step(at(21)).await;
    assert_eq!(states(&engine), [AlertState::Pending]);
    let status = engine.status().state.unwrap();
    assert_eq!((status.restored_at, status.last_error.as_deref()), (None, Some("ask store: switched off")));
    world.store.off.store(false, Ordering::SeqCst);
    // Now it reads what it could not read; nothing has been written over it meanwhile.
    engine.step(at(22)).await;
    assert_eq!(engine.alerts()[0].fired_at, Some(at(20)));
    assert_eq!(world.told(), [NotificationStatus::Firing]);
    let status = engine.status().state.unwrap();
    assert_eq!((status.restored_at, status.saved_at, status.last_error), (Some(at(22)), Some(at(22)), None));
}

#[tokio::test]
async fn a_document_that_somebody_else_wrote_or_broke_is_replaced() {
    let world = World::new();
    let engine = fired(&world).await;
    let document = world.store.get(KEY).await.unwrap().unwrap();
    world.store.put(&Write::replace(KEY, json!({"format": 1}), document.version)).await.unwrap();
    let other = world.engine();
    other.step(at(21)).await;
    assert!(other.status().state.unwrap().last_error.is_none(), "the broken document was replaced");
    engine.step(at(22)).await;
    let status = engine.status().state.unwrap();
    assert_eq!((status.conflicts, status.saved_at, status.last_error), (1, Some(at(22)), None));
    let document = world.store.get(KEY).await.unwrap().unwrap();
    assert_eq!(document.value["rules"][0]["alerts"][0]["state"], "firing");
    let broken = Document::new(KEY, json!({"format": 1}), 1, at(0));
    world.store.put(&Write::replace(KEY, broken.value, document.version)).await.unwrap();
    assert_eq!(world.engine().restore(at(23)).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn nothing_is_written_where_there_is_nothing_to_lose() {
    let world = World::new();
    let engine = world.engine();
    for minute in 0..3 {
        engine.step(at(minute)).await;
    }
    assert!(world.store.get(KEY).await.unwrap().is_none());
    let error =
        AlertEngine::builder().state(Arc::<Switched>::clone(&world.store), "a b").build().unwrap_err();
    assert!(error.to_string().contains("the state's key: put state"), "{error}");
}

#[tokio::test]
async fn a_run_restores_first_and_saves_last() {
    let world = World::new();
    drop(fired(&world).await);
    world.clock.advance(Duration::from_secs(21 * 60));
    let (engine, cancel) = (world.engine(), CancellationToken::new());
    let tasks = TaskSet::new(&CancellationToken::new());
    let (runner, token) = (engine.clone(), cancel.clone());
    let run = tasks.spawn(async move { runner.run(token).await });
    // The scraper, the evaluator and the keeper of the state sleep.
    while world.clock.sleepers() != 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(states(&engine), [AlertState::Firing]);
    cancel.cancel();
    run.await.unwrap().unwrap();
    assert_eq!(engine.status().state.unwrap().saved_at, Some(world.clock.now()));
}
