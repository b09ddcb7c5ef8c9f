//! What every implementation of a trait must do. Each function panics with the promise that was broken.

use std::collections::BTreeMap;
use std::time::Duration;

use alfred_ops_core::{ErrorKind, Labels, Result};
use chrono::{DateTime, TimeDelta};

use crate::alertmanager::{Alertmanager, PostedAlert};
use crate::discovery::{Discovery, Found};
use crate::notify::{Notification, NotificationStatus, NotifiedAlert};
use crate::promql::{SampleValue, Value};
use crate::query_source::QuerySource;
use crate::sink::{AlertSink, Receipt};

/// Checks what [`Alertmanager`] promises on one whose far side is up. It is told of an alert named `Conformance` that has
/// resolved long ago.
///
/// # Panics
/// If a promise is broken.
pub async fn alertmanager(alertmanager: &dyn Alertmanager) {
    let name = alertmanager.name().to_owned();
    assert!(
        !name.is_empty() && !name.contains('@'),
        "an Alertmanager has a name without credentials: {name}"
    );
    let alert = |index: u32| PostedAlert {
        labels: Labels::from_pairs([("alertname", "Conformance"), ("index", &*index.to_string())]),
        annotations: BTreeMap::new(),
        starts_at: DateTime::UNIX_EPOCH + TimeDelta::days(20_000),
        ends_at: DateTime::UNIX_EPOCH + TimeDelta::days(20_001),
        generator_url: None,
    };
    let taken = |outcome: Result<()>, what: &str| {
        if let Err(error) = outcome {
            panic!("{what} must be taken: {}", error.full());
        }
    };
    let alerts = [alert(0), alert(1)];
    taken(alertmanager.post(&alerts).await, "an alert");
    taken(alertmanager.post(&alerts).await, "what was taken before");
    // Not polled at all, and dropped in the middle.
    drop(alertmanager.post(&alerts));
    tokio::select! {
        biased;
        _ = alertmanager.post(&alerts) => {}
        () = tokio::task::yield_now() => {}
    }
    let (one, other) = tokio::join!(alertmanager.post(&alerts[..1]), alertmanager.post(&alerts[1..]));
    taken(one, "one of two batches at once");
    taken(other, "the other of two batches at once");
    assert_eq!(alertmanager.name(), name, "an Alertmanager keeps its name");
}

/// Checks what [`Discovery`] promises on one whose far side is up and whose targets do not change meanwhile.
///
/// # Panics
/// If a promise is broken.
pub async fn discovery(discovery: &dyn Discovery) {
    let name = discovery.name().to_owned();
    assert!(!name.is_empty() && !name.contains('@'), "a discovery has a name without credentials: {name}");
    assert!(!discovery.poll_interval().is_zero(), "a discovery is not asked without end");
    let groups = |found: Result<Found>, what: &str| match found {
        Ok(found) => found.groups,
        Err(error) => panic!("{what} must be answered: {}", error.full()),
    };
    let first = groups(discovery.find().await, "a first question");
    assert!(!first.is_empty(), "a discovery whose far side has targets finds them");
    let mut sources: Vec<&str> = first.iter().map(|group| &*group.source).collect();
    sources.sort_unstable();
    sources.dedup();
    assert_eq!(sources.len(), first.len(), "groups differ in their sources: {first:?}");
    for target in first.iter().flat_map(|group| &group.targets) {
        assert!(target.get("__address__").is_some_and(|text| !text.is_empty()), "a target has an address");
    }
    // Not polled at all, and dropped in the middle.
    drop(discovery.find());
    tokio::select! {
        biased;
        _ = discovery.find() => {}
        () = tokio::task::yield_now() => {}
    }
    let (one, other) = tokio::join!(discovery.find(), discovery.find());
    assert_eq!(groups(one, "one of two questions at once"), first, "every answer is the full list");
    assert_eq!(groups(other, "the other of two questions at once"), first, "every answer is the full list");
    assert_eq!(discovery.name(), name, "a discovery keeps its name");
}

/// Checks what [`QuerySource`] promises on one whose far side is up. It asks of no series.
///
/// # Panics
/// If a promise is broken.
pub async fn query_source(source: &dyn QuerySource) {
    let name = source.name().to_owned();
    assert!(!name.is_empty() && !name.contains('@'), "a source has a name without credentials: {name}");
    let at = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1_700_000_000_250);
    for (query, expected) in [
        ("1 + 1", "2"),
        ("time()", "1700000000.25"),
        ("vector(1) / 0", "{} +Inf"),
        ("vector(1) > 1", ""),
        ("\"a \\\"text\\\"\"", "a \"text\""),
        ("label_replace(vector(-1.5e-9), \"l\", \"ü&=+%\", \"\", \"\")", "{l=\"ü&=+%\"} -0.0000000015"),
    ] {
        match source.instant(query, at).await {
            Ok(answer) => assert_eq!(shown(&answer.value), expected, "{query}"),
            Err(error) => panic!("{query} must be answered: {}", error.full()),
        }
    }
    let until = at + TimeDelta::seconds(100);
    let range = source.range("vector(time())", at, until, Duration::from_secs(45)).await;
    let Ok(Value::Matrix(series)) = range.map(|answer| answer.value) else {
        panic!("a range is answered with a matrix");
    };
    let times: Vec<i64> = series.iter().flat_map(|series| &series.points).map(|(at, _)| *at).collect();
    assert_eq!(times, [1_700_000_000_250, 1_700_000_045_250, 1_700_000_090_250], "a range has all its steps");

    let refused = |outcome: Result<_>, what: &str| match outcome {
        Ok(answer) => panic!("{what} is refused, not answered: {answer:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput, "{what}: {}", error.full()),
    };
    refused(source.instant("sum(", at).await, "a query that cannot be read");
    let twice = "label_replace(vector(1), \"a\", \"b\", \"\", \"\") or vector(1)";
    refused(source.instant(&format!("vector(1) + on() ({twice})"), at).await, "a query without an answer");
    refused(source.range("1", until, at, Duration::from_secs(1)).await, "a range that ends before it begins");
    refused(source.range("1", at, until, Duration::ZERO).await, "a step of nothing");

    // Not polled at all, and dropped in the middle.
    drop(source.instant("1", at));
    tokio::select! {
        biased;
        _ = source.instant("1", at) => {}
        () = tokio::task::yield_now() => {}
    }
    let (one, other) = tokio::join!(source.instant("1", at), source.instant("2", at));
    assert!(one.is_ok_and(|answer| answer.value == Value::Scalar(1.0)), "two questions at once are answered");
    assert!(other.is_ok_and(|answer| answer.value == Value::Scalar(2.0)), "each with its own answer");
    assert_eq!(source.name(), name, "a source keeps its name");
}

fn shown(value: &Value) -> String {
    match value {
        Value::Scalar(value) => SampleValue::Float(*value).to_string(),
        Value::Text(text) => text.clone(),
        Value::Vector(samples) => {
            let samples = samples.iter().map(|sample| {
                let labels = &sample.labels;
                if labels.is_empty() {
                    format!("{{}} {}", sample.value)
                } else {
                    format!("{labels} {}", sample.value)
                }
            });
            samples.collect::<Vec<_>>().join("; ")
        }
        Value::Matrix(_) => "a matrix".to_owned(),
    }
}

/// Checks what [`AlertSink`] promises on a sink whose far side is up and accepts.
///
/// # Panics
/// If a promise is broken.
pub async fn alert_sink(sink: &dyn AlertSink) {
    let name = sink.name().to_owned();
    assert!(!name.is_empty(), "a sink has a name");
    assert!(!name.contains("://"), "a sink's name is no URL, which may hold credentials: {name}");

    let firing = notification(0, NotificationStatus::Firing, 1);
    accepted(sink.deliver(&firing).await, "a first notification");
    accepted(sink.deliver(&firing).await, "the same notification again, as after a lost answer");
    let resolved = notification(1, NotificationStatus::Resolved, 1);
    accepted(sink.deliver(&resolved).await, "a resolution");
    let large = notification(2, NotificationStatus::Firing, 500);
    accepted(sink.deliver(&large).await, "a notification of five hundred alerts");

    let (one, other) =
        (notification(3, NotificationStatus::Firing, 1), notification(4, NotificationStatus::Firing, 1));
    let (first, second) = tokio::join!(sink.deliver(&one), sink.deliver(&other));
    accepted(first, "one of two notifications at once");
    accepted(second, "the other of two notifications at once");

    // A future that is dropped before it is polled or in the middle leaves the sink usable.
    drop(sink.deliver(&one));
    tokio::select! {
        biased;
        _ = sink.deliver(&one) => {}
        () = tokio::task::yield_now() => {}
    }
    accepted(sink.deliver(&other).await, "a notification after a dropped attempt");
    assert_eq!(sink.name(), name, "a sink keeps its name");
}

fn accepted(outcome: Result<Receipt>, what: &str) {
    assert!(outcome.is_ok(), "a sink accepts {what}: {outcome:?}");
}

/// A notification with awkward texts: the `number`th of its group, of so many alerts.
#[must_use]
pub fn notification(number: i64, status: NotificationStatus, alerts: u32) -> Notification {
    let start = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let alert = |index: u32| NotifiedAlert {
        status,
        labels: Labels::from_pairs([
            ("alertname", "Conformance"),
            ("index", &*index.to_string()),
            ("awkward", "\"quotes\", {braces}, \\, ✓ and\na second line"),
        ]),
        annotations: [("summary".to_owned(), "100 % of \"it\"\nfails".to_owned())].into(),
        value: f64::NAN,
        starts_at: start,
        ends_at: (status == NotificationStatus::Resolved).then(|| start + TimeDelta::minutes(5)),
    };
    Notification::new(
        Labels::from_pairs([("alertname", "Conformance")]),
        (0..alerts).map(alert).collect(),
        usize::MAX,
        start + TimeDelta::minutes(number),
    )
}
