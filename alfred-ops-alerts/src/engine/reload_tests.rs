//! Rules that are exchanged under a running engine, in simulated time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use alfred_ops_core::{Clock, ClosureSource, ErrorKind, Labels, Sample, SimulatedClock, TaskSet};
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::AlertEngine;
use crate::{
    AlertState, MemorySink, NotificationStatus, Reason, RecordingRule, Rule, RuleGroup, RuleHealth, Target,
};

/// An engine over a gauge `queue` and a counter of its readings.
struct World {
    clock: SimulatedClock,
    queue: Arc<AtomicU32>,
    sink: Arc<MemorySink>,
    engine: AlertEngine,
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

fn above(name: &str, threshold: u32, seconds: u64) -> Rule {
    Rule::new(name, format!("queue > {threshold}")).with_for(Duration::from_secs(seconds))
}

fn group(name: &str, rules: impl IntoIterator<Item = Rule>) -> RuleGroup {
    RuleGroup::new(name).with_rules(rules)
}

impl World {
    fn new(groups: impl IntoIterator<Item = RuleGroup>) -> Self {
        let clock = SimulatedClock::starting_at(at(0));
        let queue = Arc::new(AtomicU32::new(20));
        let value = Arc::clone(&queue);
        let source = ClosureSource::new("queue", move || {
            Ok(vec![Sample::new(Labels::metric("queue"), f64::from(value.load(Ordering::SeqCst)))])
        });
        let sink = Arc::new(MemorySink::new("memory"));
        let engine = AlertEngine::builder()
            .target(Target::in_process("agents", "a:1", Arc::new(source)))
            .rule_groups(groups)
            .sink(Arc::<MemorySink>::clone(&sink))
            .clock(clock.shared())
            .build()
            .unwrap();
        Self { clock, queue, sink, engine }
    }

    fn stands(&self) -> Vec<(String, AlertState)> {
        self.engine.alerts().iter().map(|alert| (alert.name().to_owned(), alert.state)).collect()
    }

    fn told(&self) -> Vec<(String, NotificationStatus)> {
        let told = self.sink.notifications();
        told.iter().map(|told| (told.group_key.clone(), told.status)).collect()
    }
}

#[tokio::test]
async fn a_changed_rule_goes_on_where_it_stood() {
    let world = World::new([group("g", [above("Long", 10, 60)])]);
    world.engine.step(at(0)).await;
    assert_eq!(world.stands(), [("Long".to_owned(), AlertState::Pending)]);
    let changed = above("Long", 15, 30).with_annotation("summary", "{{ $value }}");
    let reload = world.engine.reload([group("g", [above("Other", 100, 0), changed])], at(15)).unwrap();
    assert_eq!((reload.groups_changed, reload.groups_unchanged, reload.transitions.len()), (1, 0, 0));
    // It has held since the first step, so that it fires now.
    let transitions = world.engine.step(at(30)).await;
    assert_eq!(transitions[0].reason, Reason::Held { since: at(0) });
    assert_eq!(world.engine.alerts()[0].annotations["summary"], "20");
}

#[tokio::test]
async fn alerts_end_with_their_rules_and_that_is_told() {
    let world = World::new([
        group("g", [above("Gone", 10, 0), above("Stays", 10, 0)]),
        group("h", [above("GoneToo", 10, 60)]),
    ]);
    world.engine.step(at(0)).await;
    let reload = world.engine.reload([group("g", [above("Stays", 10, 0)])], at(15)).unwrap();
    assert_eq!((reload.groups_changed, reload.groups_removed), (1, 1));
    let ended: Vec<_> = reload.transitions.iter().map(|ended| (ended.from, ended.to, ended.reason)).collect();
    assert_eq!(
        ended,
        [
            (AlertState::Firing, AlertState::Resolved, Reason::RuleRemoved),
            (AlertState::Pending, AlertState::Inactive, Reason::RuleRemoved),
        ]
    );
    world.engine.step(at(15)).await;
    assert_eq!(world.stands(), [("Stays".to_owned(), AlertState::Firing)]);
    let gone = "{}:{alertname=\"Gone\"}".to_owned();
    assert_eq!(world.told().last(), Some(&(gone, NotificationStatus::Resolved)));
    assert_eq!(world.told().len(), 3);
}

#[tokio::test]
async fn the_same_rules_are_not_disturbed() {
    let groups = || [group("g", [above("Long", 10, 60)]), group("h", [above("Longer", 10, 90)])];
    let world = World::new(groups());
    world.engine.step(at(0)).await;
    let [first, second] = groups();
    let reload = world.engine.reload([second, first], at(15)).unwrap();
    assert_eq!((reload.groups_unchanged, reload.groups_changed, reload.groups_added), (2, 0, 0));
    assert_eq!(world.engine.step(at(60)).await[0].reason, Reason::Held { since: at(0) });
}

#[tokio::test]
async fn rules_with_mistakes_change_nothing() {
    let world = World::new([group("g", [above("Long", 10, 60)])]);
    world.engine.step(at(0)).await;
    let broken = [group("g", [Rule::new("Long", "queue >")]), group("g", [Rule::new("", "up")])];
    let error = world.engine.reload(broken, at(15)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("two groups are named \"g\""), "{error}");
    assert_eq!(world.engine.step(at(60)).await[0].to, AlertState::Firing);
}

#[tokio::test]
async fn what_rules_record_and_look_at_follows_them() {
    let recorded = |name: &str| {
        RuleGroup::new("g")
            .with_rules([RecordingRule::new(name, "queue * 2")])
            .with_rules([Rule::new("Long", format!("{name} > 10"))])
    };
    let world = World::new([recorded("old")]);
    world.engine.step(at(0)).await;
    assert_eq!(world.engine.status().samples.series, 2);
    world.engine.reload([recorded("new")], at(15)).unwrap();
    // The recorded series of the old rule is of no interest any more.
    assert_eq!(world.engine.status().samples.series, 1);
    world.engine.step(at(15)).await;
    assert_eq!(world.engine.status().samples.series, 2);
    assert_eq!(world.stands(), [("Long".to_owned(), AlertState::Firing)]);
    assert!(world.engine.status().rules.iter().all(|rule| matches!(rule.health, RuleHealth::Good { .. })));
}

#[tokio::test]
async fn a_recorded_series_ends_with_its_rule() {
    let reader = || group("reader", [Rule::new("Long", "double > 10")]);
    let writer = RuleGroup::new("a").with_rules([RecordingRule::new("double", "queue * 2")]);
    let world = World::new([writer, reader()]);
    world.engine.step(at(0)).await;
    assert_eq!(world.stands(), [("Long".to_owned(), AlertState::Firing)]);
    world.engine.reload([reader()], at(15)).unwrap();
    assert_eq!(world.engine.step(at(16)).await[0].reason, Reason::Vanished);
}

#[tokio::test]
async fn a_running_engine_goes_on_with_other_groups_and_rhythms() {
    let world = World::new([group("g", [above("Long", 10, 3600)]).with_interval(Duration::from_secs(3600))]);
    let cancel = CancellationToken::new();
    let tasks = TaskSet::new(&CancellationToken::new());
    let (runner, token) = (world.engine.clone(), cancel.clone());
    let run = tasks.spawn(async move { runner.run(token).await });
    let steps = async |count: usize| {
        for _ in 0..count {
            // The scraper and each evaluator sleep.
            while world.clock.sleepers() != 2 {
                tokio::task::yield_now().await;
            }
            world.clock.advance(Duration::from_secs(5));
        }
    };
    steps(6).await;
    assert!(world.stands().is_empty());
    let faster = [group("h", [above("Long", 10, 30)])];
    let reload = world.engine.reload(faster, world.clock.now()).unwrap();
    assert_eq!((reload.groups_added, reload.groups_removed), (1, 1));
    // The evaluator of the old group ends, that of the new one begins.
    let mut rounds = 0;
    while world.told().is_empty() {
        steps(1).await;
        rounds += 1;
        assert!(rounds < 20, "nothing was told");
    }
    world.queue.store(0, Ordering::SeqCst);
    while world.told().len() < 2 {
        steps(1).await;
    }
    cancel.cancel();
    run.await.unwrap().unwrap();
}
