//! The engine against real servers on loopback: agents that are scraped, and a webhook that is told.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_alerts::testing::conformance;
use alfred_ops_alerts::{
    AlertEngine, AlertSink, AlertState, Expr, MemorySink, NotificationStatus, Rule, ScrapeConfig, Selector,
    Target, TargetHealth, TargetStatus, WebhookSink, brief_rules,
};
use alfred_ops_core::exposition::Limits;
use alfred_ops_core::{Clock, ErrorKind, Retry, SimulatedClock, TaskSet};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use support::{Exporter, Page, Receiver, nobody};
use tokio_util::sync::CancellationToken;

const WORKING: Page = Page::Agent { processed: 10, errors: 0 };
const FAILING: Page = Page::Agent { processed: 10, errors: 5 };

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn webhook(receiver: &Receiver) -> Arc<dyn AlertSink> {
    Arc::new(WebhookSink::new(format!("http://{}/hook", receiver.address)).unwrap())
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_told_and_so_is_its_end() {
    let mut agents = Vec::new();
    for _ in ["alfred-bot", "social-intel", "legal-compliance"] {
        agents.push(Exporter::start(WORKING).await);
    }
    let receiver = Receiver::start(&[]).await;
    let clock = SimulatedClock::starting_at(start());
    let engine = AlertEngine::builder()
        .targets(agents.iter().map(|agent| Target::new("agents", &agent.address)))
        .rules(brief_rules())
        .sink(webhook(&receiver))
        .clock(clock.shared())
        .build()
        .unwrap();
    let cancel = CancellationToken::new();
    let tasks = TaskSet::new(&CancellationToken::new());
    let (runner, token) = (engine.clone(), cancel.clone());
    let run = tasks.spawn(async move { runner.run(token).await });
    // The scraper of the job and the evaluator sleep whenever they are done; the scrapes between are real.
    // A target is due every 15 s, between two of the steps.
    let at_rest = || {
        let is_recent = |at: DateTime<Utc>| clock.now() - at < TimeDelta::seconds(20);
        clock.sleepers() == 2
            && engine.status().targets.iter().all(|target| target.last_scrape.is_none_or(is_recent))
    };
    let pass = async |minutes: u32| {
        for _ in 0..minutes * 12 {
            until(at_rest).await;
            clock.advance(Duration::from_secs(5));
        }
        until(at_rest).await;
    };
    let states = || {
        let mut states: Vec<_> =
            engine.alerts().iter().map(|alert| (alert.name().to_owned(), alert.state)).collect();
        states.sort();
        states
    };

    pass(6).await;
    assert_eq!(states(), []);
    assert!(engine.status().targets.iter().all(|target| target.health == TargetHealth::Up));

    agents[1].set(FAILING);
    pass(3).await;
    let ratio = "TaskFailureRatioHigh".to_owned();
    assert!(states().contains(&(ratio.clone(), AlertState::Pending)), "{:?}", states());
    pass(6).await;
    assert!(states().contains(&(ratio.clone(), AlertState::Firing)), "{:?}", states());
    until(|| receiver.received().len() == 2).await;

    agents[1].set(WORKING);
    pass(22).await;
    assert!(!states().iter().any(|(_, state)| *state == AlertState::Firing), "{:?}", states());
    until(|| receiver.received().len() == 4).await;
    cancel.cancel();
    run.await.unwrap().unwrap();

    let of_ratio: Vec<_> = receiver
        .received()
        .into_iter()
        .filter(|received| received.body["groupLabels"]["alertname"] == json!(ratio))
        .collect();
    let (fired, resolved) = (&of_ratio[0], &of_ratio[1]);
    assert_eq!(fired.body["status"], "firing");
    assert_eq!(fired.body["alerts"][0]["labels"]["instance"], json!(agents[1].address));
    assert_eq!(fired.body["alerts"].as_array().unwrap().len(), 1);
    assert_eq!(resolved.body["status"], "resolved");
    assert_eq!(resolved.body["groupKey"], fired.body["groupKey"]);
    assert_eq!(resolved.body["alerts"][0]["fingerprint"], fired.body["alerts"][0]["fingerprint"]);
    assert_eq!(resolved.body["alerts"][0]["startsAt"], fired.body["alerts"][0]["startsAt"]);
    assert_ne!(resolved.header("idempotency-key"), fired.header("idempotency-key"));
}

/// Scrapes one target once.
async fn scrape(target: Target) -> (AlertEngine, TargetStatus) {
    let engine = AlertEngine::builder()
        .target(target)
        .rules([Rule::new("Down", Expr::from(Selector::metric("up")).equal_to(0.0))])
        .clock(SimulatedClock::starting_at(start()).shared())
        .build()
        .unwrap();
    engine.step(start()).await;
    let status = engine.status().targets.remove(0);
    (engine, status)
}

async fn check_down(target: Target, expected: &str) {
    let (engine, status) = scrape(target).await;
    assert_eq!(status.health, TargetHealth::Down);
    let error = status.last_error.unwrap();
    assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    // `up` is 0; nothing of the page is kept, and of the series about the scrape only what a rule looks at.
    assert_eq!(engine.alerts()[0].name(), "Down");
    assert_eq!(engine.status().samples.series, 1);
}

#[tokio::test]
async fn each_way_to_fail_has_its_clear_error() {
    let quick = ScrapeConfig::default().with_timeout(Duration::from_millis(200));
    let small = ScrapeConfig::default().with_limits(Limits::default().with_bytes_max(100_000));
    let page = |page| async { Exporter::start(page).await };

    let malformed = page(Page::Text("up_to_here 1\nbroken{a=\"b} 1\n".to_owned())).await;
    let expected = format!(
        "parse metrics page (http://{}/metrics): line 2: the value of label \"a\" has no closing quote, \
         in `broken{{a=\"b}} 1`; correct the exporter that writes this page",
        malformed.address
    );
    check_down(Target::new("agents", &malformed.address), &expected).await;

    let address = nobody().await;
    let expected = format!("scrape (http://{address}/metrics): no connection: ");
    check_down(Target::new("agents", &address), &expected).await;

    let silent = page(Page::Silence).await;
    let expected = format!("scrape (http://{}/metrics): no answer within 200ms", silent.address);
    check_down(Target::new("agents", &silent.address).with_config(quick), &expected).await;

    let endless = page(Page::Endless).await;
    let expected = "the answer is longer than 100000 bytes; \
                    make it smaller or raise body_size_limit (Limits::bytes_max)";
    check_down(Target::new("agents", &endless.address).with_config(small), expected).await;

    let failing = page(Page::Status(503)).await;
    check_down(Target::new("agents", &failing.address), "answered 503 Service Unavailable").await;
    failing.set(Page::Text("a 1\n".to_owned()));
    let wrong = ScrapeConfig::default().with_metrics_path("/wrong");
    check_down(Target::new("agents", &failing.address).with_config(wrong), "404 Not Found; check the URL")
        .await;

    let secret = format!("http://user:hunter2@{address}/metrics?token=hunter2");
    let target = Target::new("agents", "a").with_url(secret);
    assert!(!format!("{target:?}").contains("hunter2"));
    let (engine, status) = scrape(target).await;
    assert!(!format!("{status:?} {engine:?}").contains("hunter2"), "{status:?}");
    assert_eq!(status.address, format!("http://{address}/metrics"));
}

#[tokio::test]
async fn a_target_that_recovers_is_up_again() {
    let exporter = Exporter::start(Page::Text("m 1".to_owned())).await;
    let engine = AlertEngine::builder().target(Target::new("agents", &exporter.address)).build().unwrap();
    let health = || engine.status().targets[0].health;
    for (page, expected) in [
        (Page::Text("m 1".to_owned()), TargetHealth::Up),
        (Page::Status(500), TargetHealth::Down),
        (Page::Text("m{".to_owned()), TargetHealth::Down),
        (Page::Text("m 2".to_owned()), TargetHealth::Up),
    ] {
        exporter.set(page);
        engine.scrape_once(start()).await;
        assert_eq!(health(), expected);
    }
}

/// An engine with one alert that fires at once.
async fn burning(sink: Arc<dyn AlertSink>) -> (AlertEngine, SimulatedClock) {
    let clock = SimulatedClock::starting_at(start());
    let engine = AlertEngine::builder()
        .rules([Rule::new("Burning", "1")
            .with_label("severity", "critical")
            .with_annotation("summary", "it is {{ $value }}")])
        .sink(sink)
        .clock(clock.shared())
        .build()
        .unwrap();
    engine.step(clock.now()).await;
    (engine, clock)
}

#[tokio::test]
async fn a_webhook_that_fails_first_gets_one_key() {
    let receiver = Receiver::start(&[(500, None), (200, None)]).await;
    let (engine, clock) = burning(webhook(&receiver)).await;
    let sink = || engine.status().sinks.remove(0);
    assert_eq!((sink().waiting, receiver.received().len()), (1, 1));
    assert!(sink().last_error.unwrap().contains("answered 500 Internal Server Error"));
    clock.advance(Duration::from_millis(999));
    engine.deliver_once(clock.now()).await;
    assert_eq!(receiver.received().len(), 1);
    clock.advance(Duration::from_millis(1));
    engine.deliver_once(clock.now()).await;
    // Nothing has changed: nothing more is told.
    for _ in 0..10 {
        clock.advance(Duration::from_secs(15));
        engine.step(clock.now()).await;
    }
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].header("idempotency-key"), received[1].header("idempotency-key"));
    assert_eq!(received[0].body, received[1].body);
    assert_eq!((sink().waiting, sink().counters.delivered, sink().last_error), (0, 1, None));
}

#[tokio::test]
async fn a_wait_that_the_webhook_asks_for_is_kept() {
    let receiver = Receiver::start(&[(429, Some("30"))]).await;
    let (engine, clock) = burning(webhook(&receiver)).await;
    clock.advance(Duration::from_secs(29));
    engine.deliver_once(clock.now()).await;
    assert_eq!(receiver.received().len(), 1);
    clock.advance(Duration::from_secs(1));
    engine.deliver_once(clock.now()).await;
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn a_webhook_that_refuses_is_not_asked_again() {
    let receiver = Receiver::start(&[(400, None)]).await;
    let (engine, clock) = burning(webhook(&receiver)).await;
    clock.advance(Duration::from_secs(3600));
    engine.step(clock.now()).await;
    assert_eq!(receiver.received().len(), 1);
    assert_eq!(engine.status().sinks[0].counters.given_up, 1);
}

#[tokio::test]
async fn the_body_is_alertmanagers_version_4() {
    let receiver = Receiver::start(&[]).await;
    let sink = WebhookSink::new(format!("http://{}/hook", receiver.address))
        .unwrap()
        .with_name("on-call")
        .with_authorization("Bearer t0ken");
    burning(Arc::new(sink)).await;
    let received = receiver.received().remove(0);
    assert_eq!(received.path, "/hook");
    assert_eq!(received.header("content-type"), "application/json");
    assert_eq!(received.header("authorization"), "Bearer t0ken");
    let labels = json!({"alertname": "Burning", "severity": "critical"});
    assert_eq!(
        received.body,
        json!({
            "version": "4",
            "groupKey": "{}:{alertname=\"Burning\"}",
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "on-call",
            "groupLabels": {"alertname": "Burning"},
            "commonLabels": labels,
            "commonAnnotations": {"summary": "it is 1"},
            "externalURL": "",
            "alerts": [{
                "status": "firing",
                "labels": labels,
                "annotations": {"summary": "it is 1"},
                "startsAt": "2024-10-04T00:00:00.000Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "",
                "fingerprint": received.body["alerts"][0]["fingerprint"],
            }],
        })
    );
}

#[tokio::test]
async fn the_webhook_sink_conforms_and_classifies_its_failures() {
    let receiver = Receiver::start(&[]).await;
    conformance::alert_sink(&*webhook(&receiver)).await;

    let notification = conformance::notification(0, NotificationStatus::Firing, 1);
    let deliver = async |address: &str| {
        let url = format!("http://user:hunter2@{address}/services/hunter2?token=hunter2");
        let sink = WebhookSink::new(url).unwrap().with_timeout(Duration::from_millis(200));
        let error = sink.deliver(&notification).await.unwrap_err();
        assert!(!format!("{error:?} {sink:?}").contains("hunter2"), "{error:?} {sink:?}");
        (error.kind(), error.retry())
    };
    let answers = |status| async move { Receiver::start(&[(status, None)]).await };
    assert_eq!(deliver(&nobody().await).await, (ErrorKind::Unavailable, Retry::After(None)));
    assert_eq!(deliver(&answers(0).await.address).await, (ErrorKind::Timeout, Retry::Unknown));
    assert_eq!(deliver(&answers(503).await.address).await, (ErrorKind::Unavailable, Retry::After(None)));
    assert_eq!(deliver(&answers(403).await.address).await, (ErrorKind::PermissionDenied, Retry::Never));
    // A redirect is not followed: its end might not be whom the credentials are for.
    assert_eq!(deliver(&answers(307).await.address).await, (ErrorKind::Unsupported, Retry::Never));
    assert_eq!(
        WebhookSink::new("hooks.slack.com/services/hunter2").unwrap_err().to_string(),
        "make webhook sink: the URL cannot be read: relative URL without a base; \
         give an absolute URL such as http://host:9000/metrics"
    );
}

#[tokio::test]
async fn an_unanswered_webhook_is_told_again_with_the_same_key() {
    let receiver = Receiver::start(&[(0, None)]).await;
    let url = format!("http://{}/", receiver.address);
    let sink = WebhookSink::new(url).unwrap().with_timeout(Duration::from_millis(200));
    let (engine, clock) = burning(Arc::new(sink)).await;
    clock.advance(Duration::from_secs(1));
    engine.deliver_once(clock.now()).await;
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].header("idempotency-key"), received[1].header("idempotency-key"));
}

#[tokio::test]
async fn a_dead_webhook_does_not_hold_up_another_sink() {
    let memory = Arc::new(MemorySink::new("memory"));
    let dead = WebhookSink::new(format!("http://{}/", nobody().await)).unwrap();
    let clock = SimulatedClock::starting_at(start());
    let engine = AlertEngine::builder()
        .rules([Rule::new("Burning", "1")])
        .sink(Arc::new(dead))
        .sink(Arc::<MemorySink>::clone(&memory))
        .clock(clock.shared())
        .build()
        .unwrap();
    engine.step(clock.now()).await;
    assert_eq!((memory.notifications().len(), engine.status().sinks[0].waiting), (1, 1));
}
