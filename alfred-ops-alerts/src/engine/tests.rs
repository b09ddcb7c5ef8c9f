//! The engine on sources and sinks in this process, in simulated time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use alfred_ops_core::{
    Clock, ClosureSource, Error, ErrorKind, Labels, MetricSource, Sample, SimulatedClock, TaskSet,
};
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::AlertEngine;
use crate::sink::MockAlertSink;
use crate::{
    AlertSink, AlertState, Expr, MemorySink, NotificationStatus, Receipt, Rule, ScrapeConfig, Selector,
    Target, TargetHealth, brief_rules,
};

/// A gauge named `queue` that a test sets.
#[derive(Debug, Clone, Default)]
struct Queue(Arc<AtomicU32>);

impl Queue {
    fn set(&self, value: u32) {
        self.0.store(value, Ordering::SeqCst);
    }

    fn source(&self) -> Arc<dyn MetricSource> {
        let value = Arc::clone(&self.0);
        Arc::new(ClosureSource::new("queue", move || {
            Ok(vec![Sample::new(Labels::metric("queue"), f64::from(value.load(Ordering::SeqCst)))])
        }))
    }
}

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn long_queue() -> Rule {
    Rule::new("QueueLong", Expr::from(Selector::metric("queue")).above(10.0))
        .with_for(Duration::from_secs(60))
}

fn engine(queue: &Queue, sink: Arc<dyn AlertSink>, clock: &SimulatedClock) -> AlertEngine {
    AlertEngine::builder()
        .target(Target::in_process("agents", "a:1", queue.source()))
        .rules([long_queue()])
        .sink(sink)
        .clock(clock.shared())
        .build()
        .unwrap()
}

fn simulation() -> (SimulatedClock, Queue, Arc<MemorySink>) {
    (SimulatedClock::starting_at(start()), Queue::default(), Arc::new(MemorySink::new("memory")))
}

/// Waits until `done`, giving way to other tasks.
async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn it_can_be_driven_step_by_step() {
    let (clock, queue, sink) = simulation();
    let engine = engine(&queue, Arc::<MemorySink>::clone(&sink), &clock);
    let at = |seconds| start() + TimeDelta::seconds(seconds);
    assert_eq!(engine.status().targets[0].health, TargetHealth::Unknown);
    assert!(engine.step(at(0)).await.is_empty());
    queue.set(11);
    assert_eq!(engine.step(at(15)).await[0].to, AlertState::Pending);
    assert!(engine.step(at(60)).await.is_empty());
    assert!(sink.notifications().is_empty());
    assert_eq!(engine.step(at(75)).await[0].to, AlertState::Firing);
    assert_eq!(engine.alerts()[0].labels.get("instance"), Some("a:1"));
    queue.set(0);
    assert_eq!(engine.step(at(90)).await[0].to, AlertState::Resolved);
    let told: Vec<_> = sink.notifications().iter().map(|told| told.status).collect();
    assert_eq!(told, [NotificationStatus::Firing, NotificationStatus::Resolved]);
    let status = engine.status();
    assert_eq!(status.targets[0].health, TargetHealth::Up);
    assert_eq!(status.sinks[0].counters.delivered, 2);
    // Of what the target says only what a rule looks at is kept.
    assert_eq!((status.samples.series, status.last_evaluation), (1, Some(at(90))));
}

#[tokio::test]
async fn it_explains_why_a_rule_says_nothing() {
    let (clock, queue, sink) = simulation();
    let engine = engine(&queue, sink, &clock);
    queue.set(9);
    engine.step(start()).await;
    let explained = engine.explain("QueueLong", &Labels::empty(), start());
    assert_eq!(explained.len(), 1);
    let miss = "0 of 1 pass; nearest miss queue{instance=\"a:1\",job=\"agents\"}: 9 > 10 does not hold";
    assert!(explained[0].to_string().contains(miss), "{}", explained[0]);
    assert!(engine.explain("Other", &Labels::empty(), start()).is_empty());
}

#[tokio::test]
async fn it_runs_in_simulated_time_and_stops_when_told() {
    let (clock, queue, sink) = simulation();
    let engine = engine(&queue, Arc::<MemorySink>::clone(&sink), &clock);
    let cancel = CancellationToken::new();
    let tasks = TaskSet::new(&CancellationToken::new());
    let (runner, token) = (engine.clone(), cancel.clone());
    let run = tasks.spawn(async move { runner.run(token).await });
    queue.set(11);
    for _ in 0..40 {
        // The scraper and the evaluator sleep; the deliverer waits for a notification.
        until(|| clock.sleepers() == 2).await;
        clock.advance(Duration::from_secs(5));
    }
    until(|| sink.notifications().len() == 1).await;
    until(|| clock.sleepers() == 2).await;
    cancel.cancel();
    run.await.unwrap().unwrap();
    assert_eq!(clock.sleepers(), 0);
    assert_eq!(engine.alerts()[0].state, AlertState::Firing);
}

#[tokio::test]
async fn what_waits_is_attempted_once_more_before_it_stops() {
    let (clock, queue, _) = simulation();
    let mut sink = MockAlertSink::new();
    sink.expect_name().return_const("mock".to_owned());
    let mut attempts = 0;
    sink.expect_deliver().times(2).returning(move |_| {
        attempts += 1;
        match attempts {
            1 => Err(Error::new(ErrorKind::Unavailable, "deliver", "away")),
            _ => Ok(Receipt::accepted()),
        }
    });
    let engine = engine(&queue, Arc::new(sink), &clock);
    queue.set(11);
    engine.step(start()).await;
    engine.step(start() + TimeDelta::seconds(60)).await;
    assert_eq!(engine.status().sinks[0].waiting, 1);
    assert_eq!(engine.status().sinks[0].last_error.as_deref(), Some("deliver: away"));
    let cancel = CancellationToken::new();
    cancel.cancel();
    engine.run(cancel).await.unwrap();
    assert_eq!((engine.status().sinks[0].waiting, engine.status().sinks[0].counters.delivered), (0, 1));
}

#[tokio::test]
async fn a_refusal_is_not_repeated_and_other_sinks_are_not_held_up() {
    let (clock, queue, memory) = simulation();
    let mut sink = MockAlertSink::new();
    sink.expect_name().return_const("mock".to_owned());
    sink.expect_deliver().times(1).returning(|_| Err(Error::new(ErrorKind::InvalidInput, "deliver", "400")));
    let engine = AlertEngine::builder()
        .target(Target::in_process("agents", "a:1", queue.source()))
        .rules([long_queue().with_for(Duration::ZERO)])
        .sink(Arc::new(sink))
        .sink(Arc::<MemorySink>::clone(&memory))
        .clock(clock.shared())
        .build()
        .unwrap();
    queue.set(11);
    for seconds in 0..5 {
        engine.step(start() + TimeDelta::minutes(seconds)).await;
    }
    assert_eq!(memory.notifications().len(), 1);
    assert_eq!(engine.status().sinks[0].counters.given_up, 1);
}

#[tokio::test]
async fn a_sink_that_panics_ends_the_run_with_an_error() {
    let (clock, queue, _) = simulation();
    let mut sink = MockAlertSink::new();
    sink.expect_name().return_const("mock".to_owned());
    sink.expect_deliver().returning(|_| panic!("on purpose"));
    let engine = engine(&queue, Arc::new(sink), &clock);
    queue.set(11);
    let run = engine.run(CancellationToken::new());
    let drive = async {
        until(|| clock.sleepers() == 2).await;
        for _ in 0..40 {
            clock.advance(Duration::from_secs(5));
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
    };
    let (ended, ()) = tokio::join!(run, drive);
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::Internal);
}

/// A source that never answers.
#[derive(Debug)]
struct Hangs;

#[async_trait::async_trait]
impl MetricSource for Hangs {
    fn name(&self) -> &str {
        "hangs"
    }

    async fn collect(&self) -> alfred_ops_core::Result<Vec<Sample>> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_target_that_hangs_does_not_hold_up_another() {
    let (clock, queue, sink) = simulation();
    let engine = AlertEngine::builder()
        .target(Target::in_process("agents", "hangs", Arc::new(Hangs)))
        .target(Target::in_process("agents", "a:1", queue.source()))
        .rules([long_queue()])
        .sink(Arc::<MemorySink>::clone(&sink))
        .clock(clock.shared())
        .build()
        .unwrap();
    queue.set(11);
    let cancel = CancellationToken::new();
    let run = engine.run(cancel.clone());
    let drive = async {
        for _ in 0..40 {
            until(|| clock.sleepers() == 3).await;
            clock.advance(Duration::from_secs(5));
        }
        until(|| sink.notifications().len() == 1).await;
        cancel.cancel();
    };
    let (ended, ()) = tokio::join!(run, drive);
    ended.unwrap();
    let targets = engine.status().targets;
    assert_eq!((targets[0].health, targets[1].health), (TargetHealth::Down, TargetHealth::Up));
    assert!(targets[0].failures_in_a_row > 10, "{targets:?}");
}

#[tokio::test]
async fn a_source_that_hangs_times_out() {
    let clock = SimulatedClock::starting_at(start());
    let target = Target::in_process("agents", "a:1", Arc::new(Hangs));
    let engine = AlertEngine::builder().target(target).clock(clock.shared()).build().unwrap();
    let drive = async {
        until(|| clock.sleepers() == 1).await;
        clock.advance(Duration::from_secs(10));
    };
    tokio::join!(engine.scrape_once(clock.now()), drive);
    let status = engine.status().targets.remove(0);
    assert_eq!(status.last_error.as_deref(), Some("scrape (hangs): no answer within 10s"));
    assert_eq!(status.last_duration, Duration::from_secs(10));
}

#[tokio::test]
async fn a_source_that_fails_is_down_and_its_alert_says_so() {
    let (clock, _, sink) = simulation();
    let source = ClosureSource::new("broken", || Err(Error::new(ErrorKind::Unavailable, "read", "gone")));
    let engine = AlertEngine::builder()
        .target(Target::in_process("agents", "a:1", Arc::new(source)))
        .rules(brief_rules())
        .sink(Arc::<MemorySink>::clone(&sink))
        .clock(clock.shared())
        .build()
        .unwrap();
    for step in 0..=8 {
        engine.step(start() + TimeDelta::seconds(15 * step)).await;
    }
    let told = sink.notifications();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].alerts[0].annotations["summary"], "agents on a:1 does not answer");
}

#[test]
fn all_problems_of_a_set_up_are_reported_at_once() {
    let queue = Queue::default();
    let target = || Target::in_process("agents", "a:1", queue.source());
    let config = ScrapeConfig::default().with_timeout(Duration::from_secs(20));
    let error = AlertEngine::builder()
        .targets([target(), target().with_config(config), Target::in_process("", "b", queue.source())])
        .rules(brief_rules())
        .rules([Rule::new("", "vector(1)")])
        .sink(Arc::new(MemorySink::new("memory")))
        .sink(Arc::new(MemorySink::new("memory")))
        .evaluation_interval(Duration::ZERO)
        .build()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "build alert engine: check rules: rule \"\": the name is empty; the evaluation interval is zero; \
         target agents/a:1: the timeout 20s exceeds the interval 15s; \
         target agents/a:1: another target has the same job and instance; \
         target /b: job or instance is empty; two sinks are named \"memory\""
    );
}

#[test]
fn credentials_in_an_instance_are_refused_and_not_shown() {
    let target = Target::new("agents", "user:hunter2@a:1");
    assert_eq!(
        AlertEngine::builder().target(target).build().unwrap_err().full(),
        "build alert engine: a target of job \"agents\": the instance is not host and port; \
         give a URL by Target::with_url"
    );
}

#[tokio::test]
async fn the_memory_sink_conforms() {
    let sink = Arc::new(MemorySink::new("memory"));
    crate::testing::conformance::alert_sink(&sink).await;
    crate::testing::conformance::alert_sink(&*sink).await;
    // What is delivered several times is kept once.
    assert_eq!(sink.notifications().len(), 5);
}
