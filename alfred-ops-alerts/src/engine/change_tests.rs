//! Rules that are evaluated when what they look at changes, in simulated time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use alfred_ops_core::{ChangeSignal, ClosureSource, ErrorKind, Labels, Sample, SimulatedClock, TaskSet};
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::AlertEngine;
use crate::{AlertState, MemorySink, Reason, Rule, RuleGroup, ScrapeConfig, Target};

/// An engine over a gauge `queue` whose changes are told, and how often it is read.
struct World {
    clock: SimulatedClock,
    queue: Arc<AtomicU32>,
    signal: ChangeSignal,
    reads: Arc<AtomicU32>,
    sink: Arc<MemorySink>,
    engine: AlertEngine,
}

const HOUR: Duration = Duration::from_secs(3600);

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

fn long() -> Rule {
    Rule::new("Long", "queue > 10")
}

impl World {
    fn new(interval: Duration, groups: impl IntoIterator<Item = RuleGroup>) -> Self {
        let clock = SimulatedClock::starting_at(at(0));
        let (queue, reads, signal) =
            (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)), ChangeSignal::new());
        let (value, count) = (Arc::clone(&queue), Arc::clone(&reads));
        let source = ClosureSource::new("queue", move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(vec![
                Sample::new(Labels::metric("queue"), f64::from(value.load(Ordering::SeqCst))),
                Sample::new(Labels::metric("constant"), 20.0),
            ])
        })
        .with_changes(&signal);
        let config = ScrapeConfig::default().with_interval(interval).with_timeout(interval);
        let sink = Arc::new(MemorySink::new("memory"));
        let engine = AlertEngine::builder()
            .target(Target::in_process("agents", "a:1", Arc::new(source)).with_config(config))
            .rule_groups(groups)
            .sink(Arc::<MemorySink>::clone(&sink))
            .clock(clock.shared())
            .build()
            .unwrap();
        Self { clock, queue, signal, reads, sink, engine }
    }

    fn of_rules(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self::new(Duration::from_secs(15), [RuleGroup::new("g").with_rules(rules)])
    }

    fn set(&self, value: u32) {
        self.queue.store(value, Ordering::SeqCst);
        self.signal.notify();
    }

    fn firing(&self) -> Vec<String> {
        let alerts = self.engine.alerts();
        let firing = alerts.iter().filter(|alert| alert.state == AlertState::Firing);
        firing.map(|alert| alert.name().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_change_raises_alerts_at_once_and_only_the_tick_ends_them() {
    let waits = Rule::new("Waits", "queue > 10");
    let world = World::of_rules([long().evaluated_on_change(), waits]);
    world.engine.step(at(0)).await;
    world.set(11);
    let raised = world.engine.react_once(at(1)).await;
    assert_eq!((raised.len(), raised[0].to, raised[0].at), (1, AlertState::Firing, at(1)));
    assert_eq!(raised[0].labels.get("instance"), Some("a:1"));
    world.engine.deliver_once(at(1)).await;
    assert_eq!(world.sink.notifications().len(), 1);
    // An evaluation before the next scrape knows of the change as well.
    assert_eq!(world.engine.evaluate_once(at(2))[0].labels.get("alertname"), Some("Waits"));
    assert_eq!(world.firing(), ["Long", "Waits"]);
    world.set(0);
    assert!(world.engine.react_once(at(3)).await.is_empty());
    assert_eq!(world.firing(), ["Long", "Waits"]);
    let ended = world.engine.step(at(15)).await;
    assert_eq!(ended.iter().map(|ended| ended.reason).collect::<Vec<_>>(), [Reason::Cleared; 2]);
}

#[tokio::test]
async fn ranges_hold_one_sample_a_scrape_whatever_changes() {
    let counted = Rule::new("Counted", "count_over_time(queue[1m]) > 3");
    let peaked = Rule::new("Peaked", "max_over_time(queue[1m]) >= 7").evaluated_on_change();
    let world = World::of_rules([counted, peaked, long().evaluated_on_change()]);
    for scrape in 0..3 {
        world.engine.step(at(scrape * 15)).await;
        for change in 1..=8 {
            world.set(u32::try_from(change % 8).unwrap());
            world.engine.react_once(at(scrape * 15 + change)).await;
        }
    }
    // Three scrapes and what was read last are four; a change that is over is forgotten by then.
    assert_eq!(world.engine.evaluate_once(at(44))[0].labels.get("alertname"), Some("Counted"));
    world.engine.step(at(100)).await;
    assert_eq!(world.firing(), ["Peaked"; 0]);
    assert_eq!(world.engine.status().samples.out_of_order, 0);
}

#[tokio::test]
async fn what_does_not_change_is_not_evaluated() {
    let world = World::of_rules([Rule::new("Constant", "constant > 10").evaluated_on_change()]);
    world.engine.scrape_once(at(0)).await;
    world.set(11);
    assert!(world.engine.react_once(at(1)).await.is_empty());
    assert_eq!(world.engine.evaluate_once(at(2)).len(), 1);
}

#[test]
fn rules_that_cannot_be_evaluated_on_change_are_refused() {
    let patient = long().with_for(HOUR).evaluated_on_change();
    let late = RuleGroup::new("late").with_rules([long().evaluated_on_change()]).with_query_offset(HOUR);
    let error = AlertEngine::builder().rules([patient]).rule_groups([late]).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let text = error.to_string();
    for part in ["`for: 3600s`; leave one out", "its group looks back by 3600s; move it to a group without"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

/// Runs an engine and goes on in simulated time, millisecond by millisecond, until the sink has been told.
async fn milliseconds_until_told(world: &World, act: impl AsyncFnOnce()) -> u32 {
    let cancel = CancellationToken::new();
    let tasks = TaskSet::new(&CancellationToken::new());
    let (runner, token) = (world.engine.clone(), cancel.clone());
    let run = tasks.spawn(async move { runner.run(token).await });
    while world.clock.sleepers() != 2 {
        tokio::task::yield_now().await;
    }
    act().await;
    let mut passed = 0;
    'told: loop {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
            if !world.sink.notifications().is_empty() {
                break 'told;
            }
        }
        assert!(passed < 10_000, "nothing was told");
        world.clock.advance(Duration::from_millis(1));
        passed += 1;
    }
    cancel.cancel();
    run.await.unwrap().unwrap();
    passed
}

#[tokio::test]
async fn a_running_engine_tells_before_any_tick() {
    let group = RuleGroup::new("g").with_rules([long().evaluated_on_change()]).with_interval(HOUR);
    let world = World::new(HOUR, [group]);
    assert_eq!(milliseconds_until_told(&world, async || world.set(11)).await, 0);
    assert_eq!(world.reads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn changes_without_end_are_looked_at_now_and_then() {
    let group = RuleGroup::new("g").with_rules([long().evaluated_on_change()]).with_interval(HOUR);
    let world = World::new(HOUR, [group]);
    let changes = async || {
        for change in 0..100 {
            world.set(change % 10);
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            world.clock.advance(Duration::from_millis(1));
        }
        world.set(11);
    };
    let waited = milliseconds_until_told(&world, changes).await;
    assert!(waited <= 20, "{waited} ms");
    let reads = world.reads.load(Ordering::SeqCst);
    assert!((5..=7).contains(&reads), "{reads} reads in a tenth of a second");
}

#[tokio::test]
async fn a_scrape_that_sees_a_change_first_raises_alerts_as_well() {
    let group = RuleGroup::new("g").with_rules([long().evaluated_on_change()]).with_interval(HOUR);
    let world = World::new(Duration::from_millis(50), [group]);
    // Nobody says that it changed.
    let silently = async || world.queue.store(11, Ordering::SeqCst);
    assert!(milliseconds_until_told(&world, silently).await <= 50);
}
