//! What every implementation of a trait must do. Each function panics with the promise that was broken.

use alfred_ops_core::{Labels, Result};
use chrono::{DateTime, TimeDelta};

use crate::discovery::{Discovery, Found};
use crate::notify::{Notification, NotificationStatus, NotifiedAlert};
use crate::sink::{AlertSink, Receipt};

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
