//! What a sink is told.

use std::collections::BTreeMap;

use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};

/// Whether something burns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotificationStatus {
    /// It does.
    Firing,
    /// It did.
    Resolved,
}

impl NotificationStatus {
    /// The word of Alertmanager's webhook.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// One alert as a sink is told of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NotifiedAlert {
    /// Whether it fires.
    pub status: NotificationStatus,
    /// Its labels.
    pub labels: Labels,
    /// What a person is told.
    pub annotations: BTreeMap<String, String>,
    /// The value last read.
    pub value: f64,
    /// When it began to fire.
    pub starts_at: DateTime<Utc>,
    /// When it resolved.
    pub ends_at: Option<DateTime<Utc>>,
}

/// The alerts of one group, told together.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Notification {
    /// The same for every attempt to deliver this notification and for no other notification.
    pub dedup_key: String,
    /// The same for all notifications of one group, from the first alert to the last resolution.
    pub group_key: String,
    /// Firing if any of the alerts is.
    pub status: NotificationStatus,
    /// The labels that make the group.
    pub group_labels: Labels,
    /// The labels that all of its alerts share.
    pub common_labels: Labels,
    /// The annotations that all of its alerts share.
    pub common_annotations: BTreeMap<String, String>,
    /// Where a person finds more; empty if nowhere.
    pub external_url: String,
    /// All firing alerts of the group, and those that have resolved since the last notification.
    pub alerts: Vec<NotifiedAlert>,
    /// How many more there are, left out for their number.
    pub truncated_alerts: usize,
    /// When this notification was made.
    pub made_at: DateTime<Utc>,
}

impl Notification {
    /// A notification of these alerts, of which at most `alerts_max` are told.
    #[must_use]
    pub fn new(
        group_labels: Labels,
        mut alerts: Vec<NotifiedAlert>,
        alerts_max: usize,
        made_at: DateTime<Utc>,
    ) -> Self {
        let firing = alerts.iter().any(|alert| alert.status == NotificationStatus::Firing);
        let status = if firing { NotificationStatus::Firing } else { NotificationStatus::Resolved };
        let truncated_alerts = alerts.len().saturating_sub(alerts_max);
        let common_labels = Labels::from_pairs(common(&alerts, |alert| {
            alert.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        }));
        let common_annotations = common(&alerts, |alert| alert.annotations.clone());
        alerts.truncate(alerts_max);
        Self {
            dedup_key: format!("{:016x}-{}", group_labels.fingerprint(), made_at.timestamp_millis()),
            group_key: group_key(&group_labels),
            status,
            group_labels,
            common_labels,
            common_annotations,
            external_url: String::new(),
            alerts,
            truncated_alerts,
            made_at,
        }
    }
}

/// The key of the group that these labels make.
pub(super) fn group_key(group_labels: &Labels) -> String {
    format!("{{}}:{group_labels}")
}

fn common(
    alerts: &[NotifiedAlert],
    pairs: impl Fn(&NotifiedAlert) -> BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let Some((first, others)) = alerts.split_first() else { return BTreeMap::new() };
    let mut shared = pairs(first);
    for alert in others {
        let theirs = pairs(alert);
        shared.retain(|name, value| theirs.get(name) == Some(value));
    }
    shared
}
