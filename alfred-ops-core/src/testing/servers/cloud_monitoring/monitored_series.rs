//! A series of a server.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

/// How long a point of a delta lasts.
const DELTA: TimeDelta = TimeDelta::seconds(60);

/// A series of a [`CloudMonitoringServer`](super::CloudMonitoringServer): a gauge of whole numbers, unless it is told to be
/// another.
#[derive(Debug, Clone)]
pub struct MonitoredSeries {
    pub(super) metric_type: String,
    pub(super) resource_type: String,
    pub(super) metric_labels: BTreeMap<String, String>,
    pub(super) resource_labels: BTreeMap<String, String>,
    pub(super) kind: &'static str,
    pub(super) value_type: &'static str,
    /// When they were true, and their values as the API writes them.
    pub(super) points: Vec<(DateTime<Utc>, Value)>,
}

impl MonitoredSeries {
    /// A series of a metric and a monitored resource of these types, without a point.
    #[must_use]
    pub fn new(metric_type: impl Into<String>, resource_type: impl Into<String>) -> Self {
        Self {
            metric_type: metric_type.into(),
            resource_type: resource_type.into(),
            metric_labels: BTreeMap::new(),
            resource_labels: BTreeMap::new(),
            kind: "GAUGE",
            value_type: "INT64",
            points: Vec::new(),
        }
    }

    /// Of a kind (`GAUGE`, `DELTA`, `CUMULATIVE`) and a type of values (`BOOL`, `INT64`, `DOUBLE`, `STRING`, `DISTRIBUTION`).
    #[must_use]
    pub const fn of_kind(mut self, kind: &'static str, value_type: &'static str) -> Self {
        (self.kind, self.value_type) = (kind, value_type);
        self
    }

    /// With a label of the metric.
    #[must_use]
    pub fn with_metric_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metric_labels.insert(name.into(), value.into());
        self
    }

    /// With a label of the resource.
    #[must_use]
    pub fn with_resource_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.resource_labels.insert(name.into(), value.into());
        self
    }

    /// With a point whose value is as the API writes it, such as `{"int64Value": "7"}`; the later, the later added.
    #[must_use]
    pub fn with_point(mut self, at: DateTime<Utc>, value: Value) -> Self {
        self.points.push((at, value));
        self
    }

    /// With a point of a whole number.
    #[must_use]
    pub fn with_int(self, at: DateTime<Utc>, value: i64) -> Self {
        self.with_point(at, json!({ "int64Value": value.to_string() }))
    }

    /// Whether filters and groupings know a field of this name.
    pub(super) fn is_field(name: &str) -> bool {
        name == "metric.type" || name == "resource.type" || label(name).is_some()
    }

    /// The value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        match name {
            "metric.type" => Some(&self.metric_type),
            "resource.type" => Some(&self.resource_type),
            _ => match label(name)? {
                ("metric", label) => self.metric_labels.get(label).map(String::as_str),
                (_, label) => self.resource_labels.get(label).map(String::as_str),
            },
        }
    }

    /// The number of a point, if it has one.
    pub(super) fn number(value: &Value) -> Option<f64> {
        match value.get("int64Value").and_then(Value::as_str) {
            Some(text) => text.parse().ok(),
            None => value.get("doubleValue").and_then(Value::as_f64),
        }
    }

    /// A number as this series writes it.
    pub(super) fn value(&self, number: f64) -> Value {
        if self.value_type == "INT64" {
            json!({ "int64Value": format!("{number:.0}") })
        } else {
            json!({ "doubleValue": number })
        }
    }

    /// When what a point tells began.
    pub(super) fn start(&self, end: DateTime<Utc>) -> DateTime<Utc> {
        match self.kind {
            "DELTA" => end - DELTA,
            "CUMULATIVE" => self.points.first().map_or(end, |(first, _)| *first - DELTA),
            _ => end,
        }
    }
}

/// Whose label a field is, and which.
fn label(field: &str) -> Option<(&str, &str)> {
    let (of, rest) = field.split_once('.')?;
    let label = rest.strip_prefix("labels.").or_else(|| rest.strip_prefix("label."))?;
    matches!(of, "metric" | "resource").then_some((of, label)).filter(|(_, label)| !label.is_empty())
}
