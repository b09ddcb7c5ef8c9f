//! The body of Alertmanager's webhook, version 4.

use std::collections::BTreeMap;

use alfred_ops_core::Labels;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::notify::{Notification, NotifiedAlert};

/// What Alertmanager writes for an alert that has not ended: Go's zero time.
const NOT_ENDED: &str = "0001-01-01T00:00:00Z";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'a> {
    version: &'static str,
    group_key: &'a str,
    truncated_alerts: usize,
    status: &'static str,
    receiver: &'a str,
    group_labels: &'a Labels,
    common_labels: &'a Labels,
    common_annotations: &'a BTreeMap<String, String>,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    alerts: Vec<BodyAlert<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BodyAlert<'a> {
    status: &'static str,
    labels: &'a Labels,
    annotations: &'a BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
    fingerprint: String,
}

impl<'a> Body<'a> {
    pub(super) fn new(notification: &'a Notification, receiver: &'a str) -> Self {
        let alert = |alert: &'a NotifiedAlert| BodyAlert {
            status: alert.status.name(),
            labels: &alert.labels,
            annotations: &alert.annotations,
            starts_at: time(alert.starts_at),
            ends_at: alert.ends_at.map_or_else(|| NOT_ENDED.to_owned(), time),
            generator_url: &notification.external_url,
            fingerprint: format!("{:016x}", alert.labels.fingerprint()),
        };
        Self {
            version: "4",
            group_key: &notification.group_key,
            truncated_alerts: notification.truncated_alerts,
            status: notification.status.name(),
            receiver,
            group_labels: &notification.group_labels,
            common_labels: &notification.common_labels,
            common_annotations: &notification.common_annotations,
            external_url: &notification.external_url,
            alerts: notification.alerts.iter().map(alert).collect(),
        }
    }
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
