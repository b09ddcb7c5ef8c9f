//! The engine and its Alertmanagers, in simulated time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use alfred_ops_core::{
    ChangeSignal, Clock, ClosureSource, Error, ErrorKind, Labels, MemoryStateStore, Result, Sample,
    SimulatedClock, TaskSet,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::{AlertEngine, AlertEngineBuilder};
use crate::alertmanager::MockAlertmanager;
use crate::{
    AlertState, Alertmanager, AlertmanagerPolicy, MemoryAlertmanager, PostedAlert, Rule, RuleGroup, Target,
};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

/// A gauge `queue`, above 10 if it is long, of each of `series` instances.
struct Queue {
    value: Arc<AtomicU32>,
    signal: ChangeSignal,
    series: u32,
}

impl Queue {
    fn new(series: u32) -> Self {
        Self { value: Arc::new(AtomicU32::new(11)), signal: ChangeSignal::new(), series }
    }

    fn builder(&self, clock: &SimulatedClock) -> AlertEngineBuilder {
        let (value, series) = (Arc::clone(&self.value), self.series);
        let source = ClosureSource::new("queue", move || {
            let value = f64::from(value.load(Ordering::SeqCst));
            let sample = |i: u32| Sample::new(Labels::metric("queue").with("i", &i.to_string()), value);
            Ok((0..series).map(sample).collect())
        });
        AlertEngine::builder()
            .target(Target::in_process("agents", "a:1", Arc::new(source.with_changes(&self.signal))))
            .clock(clock.shared())
    }
}

fn long() -> Rule {
    Rule::new("Long", "queue > 10")
}

fn clock() -> SimulatedClock {
    SimulatedClock::starting_at(at(0))
}

fn instances(alerts: &[PostedAlert]) -> Vec<&str> {
    alerts.iter().map(|alert| alert.labels.get("i").unwrap()).collect()
}

/// Never answers.
#[derive(Debug)]
struct Stuck;

#[async_trait]
impl Alertmanager for Stuck {
    fn name(&self) -> &str {
        "stuck"
    }

    async fn post(&self, _: &[PostedAlert]) -> Result<()> {
        std::future::pending().await
    }
}

/// Fails, as often as it is told of something.
fn refusing() -> MockAlertmanager {
    let mut refusing = MockAlertmanager::new();
    refusing.expect_name().return_const("refusing".to_owned());
    refusing.expect_post().returning(|_| Err(Error::new(ErrorKind::InvalidInput, "post", "bad label")));
    refusing
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn each_is_told_of_everything_in_batches() {
    let (one, other) = (Arc::new(MemoryAlertmanager::new("one")), Arc::new(MemoryAlertmanager::new("other")));
    let policy = AlertmanagerPolicy { batch_max: 4, waiting_max: 9, ..AlertmanagerPolicy::default() };
    let queue = Queue::new(10);
    let engine = queue
        .builder(&clock())
        .rules([long()])
        .alertmanager(Arc::<MemoryAlertmanager>::clone(&one))
        .alertmanager(Arc::<MemoryAlertmanager>::clone(&other))
        .alertmanager_policy(policy)
        .build()
        .unwrap();
    engine.step(at(0)).await;
    for told in [&one, &other] {
        let batches = told.take_batches();
        let sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
        assert_eq!(sizes, [4, 4, 1]);
        assert_eq!(instances(&batches.concat()), ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    }
    let status = &engine.status().alertmanagers[0];
    assert_eq!((&*status.name, status.waiting, status.sent), ("one", 0, 9));
    assert_eq!((status.dropped, status.failed, status.last_success), (1, 0, Some(at(0))));
}

#[tokio::test]
async fn a_refusal_shows_and_is_not_repeated_before_its_time() {
    let memory = Arc::new(MemoryAlertmanager::new("memory"));
    let queue = Queue::new(2);
    let engine = queue
        .builder(&clock())
        .rules([long()])
        .alertmanager(Arc::new(refusing()))
        .alertmanager(Arc::<MemoryAlertmanager>::clone(&memory))
        .build()
        .unwrap();
    for seconds in [0, 15, 30, 45] {
        engine.step(at(seconds)).await;
    }
    let status = &engine.status().alertmanagers;
    assert_eq!((status[0].failed, status[0].sent, status[0].last_success), (2, 0, None));
    assert_eq!(status[0].last_error.as_deref(), Some("post: bad label"));
    assert_eq!((status[1].sent, &status[1].last_error), (2, &None));
    engine.step(at(60)).await;
    assert_eq!(engine.status().alertmanagers[0].failed, 4);
}

#[tokio::test]
async fn one_that_never_answers_holds_up_nobody_and_is_bounded() {
    let memory = Arc::new(MemoryAlertmanager::new("memory"));
    let (clock, queue) = (clock(), Queue::new(1));
    let engine = queue
        .builder(&clock)
        .rule_groups([RuleGroup::new("g").with_rules([long()])])
        .alertmanager(Arc::new(Stuck))
        .alertmanager(Arc::<MemoryAlertmanager>::clone(&memory))
        .alertmanager_policy(AlertmanagerPolicy { waiting_max: 2, ..AlertmanagerPolicy::default() })
        .build()
        .unwrap();
    let cancel = CancellationToken::new();
    let tasks = TaskSet::new(&CancellationToken::new());
    let (runner, token) = (engine.clone(), cancel.clone());
    let run = tasks.spawn(async move { runner.run(token).await });
    let mut told = 0;
    while told < 6 {
        // The scraper and the evaluator sleep.
        until(|| clock.sleepers() == 2).await;
        told += memory.take_alerts().len();
        clock.advance(Duration::from_secs(15));
        assert!(clock.now() < at(3_600), "told of {told}");
    }
    let stuck = engine.status().alertmanagers[0].clone();
    assert_eq!((stuck.waiting, stuck.sent), (3, 0), "one on its way, two behind it");
    assert!(stuck.dropped >= 2, "{stuck:?}");
    cancel.cancel();
    until(|| clock.sleepers() == 1).await;
    // What an orchestrator waits is not used up.
    clock.advance(Duration::from_secs(8));
    run.await.unwrap().unwrap();
    assert_eq!(clock.sleepers(), 0);
}

#[tokio::test]
async fn what_waits_is_sent_before_it_stops() {
    let memory = Arc::new(MemoryAlertmanager::new("memory"));
    let queue = Queue::new(3);
    let engine = queue
        .builder(&clock())
        .rules([long()])
        .alertmanager(Arc::<MemoryAlertmanager>::clone(&memory))
        .build()
        .unwrap();
    engine.scrape_once(at(0)).await;
    engine.evaluate_once(at(0));
    assert_eq!(engine.status().alertmanagers[0].waiting, 3);
    let cancel = CancellationToken::new();
    cancel.cancel();
    engine.run(cancel).await.unwrap();
    assert_eq!(memory.take_alerts().len(), 3);
    assert_eq!(engine.status().alertmanagers[0].waiting, 0);
}

#[tokio::test]
async fn a_post_that_is_given_up_counts_as_failed() {
    let queue = Queue::new(2);
    let engine = queue.builder(&clock()).rules([long()]).alertmanager(Arc::new(Stuck)).build().unwrap();
    engine.scrape_once(at(0)).await;
    engine.evaluate_once(at(0));
    {
        let post = engine.deliver_once(at(0));
        tokio::pin!(post);
        assert!(futures::poll!(post.as_mut()).is_pending());
        assert_eq!(engine.status().alertmanagers[0].waiting, 2);
    }
    let status = &engine.status().alertmanagers[0];
    assert_eq!((status.waiting, status.failed), (0, 2));
}

#[tokio::test]
async fn a_change_is_sent_at_once_and_nothing_again() {
    let memory = Arc::new(MemoryAlertmanager::new("memory"));
    let queue = Queue::new(1);
    queue.value.store(0, Ordering::SeqCst);
    let engine = queue
        .builder(&clock())
        .rules([long().evaluated_on_change(), Rule::new("Other", "queue < 5")])
        .alertmanager(Arc::<MemoryAlertmanager>::clone(&memory))
        .build()
        .unwrap();
    engine.step(at(0)).await;
    assert_eq!(memory.take_alerts().len(), 1);
    queue.value.store(11, Ordering::SeqCst);
    queue.signal.notify();
    engine.react_once(at(100)).await;
    engine.deliver_once(at(100)).await;
    let sent = memory.take_alerts();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].labels.get("alertname"), sent[0].starts_at), (Some("Long"), at(100)));
    queue.signal.notify();
    engine.react_once(at(300)).await;
    engine.deliver_once(at(300)).await;
    assert!(memory.take_alerts().is_empty());
}

#[tokio::test]
async fn after_a_restart_all_is_sent_anew() {
    let store = Arc::new(MemoryStateStore::default());
    let queue = Queue::new(1);
    let start = |told: &Arc<MemoryAlertmanager>| {
        let builder = queue.builder(&clock()).rules([long().with_for(Duration::from_secs(30))]);
        let told: Arc<MemoryAlertmanager> = Arc::clone(told);
        builder.alertmanager(told).state(Arc::<MemoryStateStore>::clone(&store), "alerts").build().unwrap()
    };
    let told = Arc::new(MemoryAlertmanager::new("memory"));
    let engine = start(&told);
    engine.step(at(0)).await;
    engine.step(at(30)).await;
    assert_eq!(told.take_alerts().len(), 1);
    drop(engine);
    let engine = start(&told);
    engine.step(at(45)).await;
    let sent = told.take_alerts();
    assert_eq!((sent.len(), sent[0].starts_at, sent[0].ends_at), (1, at(30), at(45 + 240)));
}

#[tokio::test]
async fn a_reload_neither_repeats_nor_forgets() {
    let told = Arc::new(MemoryAlertmanager::new("memory"));
    let queue = Queue::new(1);
    let group = |annotation: &str, more: Option<Rule>| {
        let rules = [Some(long().with_annotation("s", annotation)), more];
        RuleGroup::new("g").with_rules(rules.into_iter().flatten())
    };
    let engine = queue
        .builder(&clock())
        .rule_groups([group("a", Some(Rule::new("Gone", "queue > 10")))])
        .alertmanager(Arc::<MemoryAlertmanager>::clone(&told))
        .build()
        .unwrap();
    engine.step(at(0)).await;
    assert_eq!(told.take_alerts().len(), 2);
    engine.reload([group("b", None)], at(1)).unwrap();
    engine.step(at(15)).await;
    assert!(told.take_alerts().is_empty());
    engine.step(at(60)).await;
    let sent = told.take_alerts();
    assert_eq!((sent.len(), &*sent[0].annotations["s"], sent[0].starts_at), (1, "b", at(0)));
    assert_eq!(engine.alerts()[0].state, AlertState::Firing);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let policy = AlertmanagerPolicy { batch_max: 0, waiting_max: 0, ..AlertmanagerPolicy::default() };
    let one = || Arc::new(MemoryAlertmanager::new("one"));
    let error = AlertEngine::builder()
        .alertmanager(one())
        .alertmanager(one())
        .alertmanager_policy(policy.with_external_url("prom.example"))
        .build()
        .unwrap_err();
    let text = error.to_string();
    for part in [
        "two Alertmanagers are named \"one\"",
        "waiting_max is zero; give at least 1",
        "batch_max is zero",
        "external_url is \"prom.example\"; give one such as https://",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
