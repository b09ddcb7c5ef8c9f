//! Alerts as Prometheus' HTTP APIs show them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::alert::{Alert, AlertState};

/// The alerts that are pending or firing.
pub(crate) fn alerts<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Vec<Value> {
    alerts.filter(|alert| is_active(alert)).map(alert).collect()
}

pub(super) const fn is_active(alert: &Alert) -> bool {
    matches!(alert.state, AlertState::Pending | AlertState::Firing)
}

fn alert(alert: &Alert) -> Value {
    let mut shown = json!({
        "labels": alert.labels,
        "annotations": alert.annotations,
        "state": alert.state.to_string(),
        "activeAt": time(Some(alert.active_at)),
        "value": value(alert.value),
    });
    if let (Some(since), Some(fields)) = (alert.keep_firing_since, shown.as_object_mut()) {
        fields.insert("keepFiringSince".to_owned(), time(Some(since)).into());
    }
    shown
}

/// A time; Go's zero time for none.
pub(super) fn time(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(
        || "0001-01-01T00:00:00Z".to_owned(),
        |time| time.to_rfc3339_opts(SecondsFormat::Millis, true),
    )
}

/// A number with an exponent in any case: `1.5e+00`, as `strconv.FormatFloat(value, 'e', -1, 64)` writes it.
pub(super) fn value(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
    format!("{digits}e{sign}{exponent:0>2}")
}
