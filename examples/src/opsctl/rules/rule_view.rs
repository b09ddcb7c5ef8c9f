//! How a rule stands, told to a person.

use std::time::Duration;

use alfred_ops_alerts::promql::{Query, Value, VectorSample};
use alfred_ops_alerts::{Alert, AlertState, GroupRule, Reason, RuleHealth};
use alfred_ops_core::Labels;
use serde_json::{Value as Json, json};

use super::check::counted;
use super::explanation::Explainer;
use super::playback::{Playback, PlayedGroup};
use super::series_file::show_time;

/// Samples and alerts of one rule that are printed for a person. A program gets all.
const PRINTED_MAX: usize = 20;

/// How one rule stands.
#[derive(Debug)]
pub(super) struct RuleView<'p> {
    pub(super) rule: &'p GroupRule,
    /// Why it could not be evaluated.
    pub(super) failure: Option<String>,
    pub(super) warnings: Vec<String>,
    /// What a person should know about how it was evaluated.
    pub(super) notes: Vec<String>,
    pub(super) samples: Vec<VectorSample>,
    /// Those that matter most first.
    pub(super) alerts: Vec<Alert>,
    /// Why there are no samples.
    pub(super) why_empty: Vec<String>,
}

impl<'p> RuleView<'p> {
    /// Of a rule of which nothing is known yet.
    pub(super) const fn of(rule: &'p GroupRule) -> Self {
        Self {
            rule,
            failure: None,
            warnings: Vec::new(),
            notes: Vec::new(),
            samples: Vec::new(),
            alerts: Vec::new(),
            why_empty: Vec::new(),
        }
    }

    /// At the end of a playback.
    pub(super) fn new(
        playback: &Playback,
        group: &PlayedGroup,
        index: usize,
        rule: &'p GroupRule,
        at: i64,
    ) -> Self {
        let mut view = Self::of(rule);
        if let Some(report) = group.reports.get(index) {
            view.warnings.clone_from(&report.warnings);
            if let RuleHealth::Failed(error) = &report.health {
                view.failure = Some(error.full());
            }
        }
        let offset = i64::try_from(group.group.query_offset.as_millis()).unwrap_or(i64::MAX);
        let at = at.saturating_sub(offset);
        if let Ok(query) = Query::parse(rule.expr()) {
            let answer = query.instant(&playback.store, at, &playback.options).ok();
            view.samples = samples(answer.map(|answer| answer.value));
            if view.samples.is_empty() && view.failure.is_none() {
                let explainer = Explainer { source: &playback.store, at, options: &playback.options };
                view.why_empty = explainer.why_empty(&query);
            }
        }
        if let GroupRule::Alert(_) = rule {
            view.alerts = sorted(alerts_of(group, rule));
        }
        view
    }

    /// How it stands, on a few lines.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("  {}: {}", self.title(), self.summary())];
        lines.push(format!("    {}", self.rule.expr().trim().replace('\n', "\n    ")));
        lines.extend(self.warnings.iter().map(|warning| format!("    warning: {warning}")));
        lines.extend(self.notes.iter().map(|note| format!("    note: {note}")));
        lines.extend(self.why_empty.iter().map(|reason| format!("    nothing: {reason}")));
        match self.rule {
            GroupRule::Alert(_) => {
                lines.extend(self.alerts.iter().take(PRINTED_MAX).flat_map(alert_lines));
                lines.extend(more(self.alerts.len()));
            }
            GroupRule::Record(_) => {
                let samples = self.samples.iter().take(PRINTED_MAX);
                lines.extend(samples.map(|sample| format!("    {} {}", sample.labels, sample.value)));
                lines.extend(more(self.samples.len()));
            }
        }
        lines
    }

    fn title(&self) -> String {
        match self.rule {
            GroupRule::Alert(rule) if rule.for_duration > Duration::ZERO => {
                format!("alert {} (for {})", rule.name, duration(rule.for_duration))
            }
            GroupRule::Alert(rule) => format!("alert {}", rule.name),
            GroupRule::Record(rule) => format!("record {}", rule.name),
        }
    }

    fn summary(&self) -> String {
        if let Some(failure) = &self.failure {
            return format!("cannot be evaluated: {failure}");
        }
        if let GroupRule::Record(_) = self.rule {
            return counted(self.samples.len(), "sample");
        }
        let number = |state| self.alerts.iter().filter(|alert| alert.state == state).count();
        let states = [AlertState::Firing, AlertState::Pending, AlertState::Resolved];
        let parts = states.map(|state| (number(state), state)).into_iter().filter(|(number, _)| *number > 0);
        let parts: Vec<String> = parts.map(|(number, state)| format!("{number} {state}")).collect();
        if parts.is_empty() { "no alert".to_owned() } else { parts.join(", ") }
    }

    pub(super) fn json(&self) -> Json {
        let samples = self.samples.iter();
        let samples =
            samples.map(|sample| json!({ "labels": sample.labels, "value": sample.value.to_string() }));
        let (kind, for_seconds) = match self.rule {
            GroupRule::Alert(rule) => ("alert", rule.for_duration.as_secs_f64()),
            GroupRule::Record(_) => ("record", 0.0),
        };
        json!({
            "rule": self.rule.name(), "kind": kind, "expr": self.rule.expr(), "for_seconds": for_seconds,
            "error": self.failure, "warnings": self.warnings, "notes": self.notes, "samples": samples.collect::<Vec<_>>(),
            "alerts": self.alerts.iter().map(alert_json).collect::<Vec<_>>(), "why_empty": self.why_empty,
        })
    }
}

/// The alerts of one rule. Others of the same name have other labels.
fn alerts_of(group: &PlayedGroup, rule: &GroupRule) -> Vec<Alert> {
    let is_plain = |value: &str| !value.contains("{{");
    let own = |alert: &&Alert| {
        let mut labels = rule.labels().iter().filter(|(_, value)| is_plain(value) && !value.is_empty());
        labels.all(|(name, value)| alert.labels.get(name) == Some(value.as_str()))
    };
    group.evaluator.book().named(rule.name()).filter(own).cloned().collect()
}

/// Alerts, those that matter most first.
pub(super) fn sorted(mut alerts: Vec<Alert>) -> Vec<Alert> {
    let rank = |state: AlertState| match state {
        AlertState::Firing => 0,
        AlertState::Pending => 1,
        AlertState::Resolved => 2,
        AlertState::Inactive => 3,
    };
    alerts
        .sort_by(|left, right| rank(left.state).cmp(&rank(right.state)).then(left.labels.cmp(&right.labels)));
    alerts
}

/// What an expression of a rule comes to.
pub(super) fn samples(value: Option<Value>) -> Vec<VectorSample> {
    match value {
        Some(Value::Vector(samples)) => samples,
        Some(Value::Scalar(value)) => vec![VectorSample { labels: Labels::empty(), value: value.into() }],
        _ => Vec::new(),
    }
}

fn alert_lines(alert: &Alert) -> Vec<String> {
    let why = match &alert.reason {
        Reason::Waiting { until } => {
            format!("the condition has held since {}; it fires at {}", when(alert.active_at), when(*until))
        }
        Reason::Held { since } => format!("the condition has held since {}", when(*since)),
        Reason::KeptFiring { until } => {
            format!("the condition cleared; it is kept firing until {}", when(*until))
        }
        other => match alert.resolved_at {
            Some(at) => format!("since {}: {other}", when(at)),
            None => other.to_string(),
        },
    };
    let value = alfred_ops_alerts::promql::SampleValue::Float(alert.value);
    let mut lines = vec![format!("    {} {} = {value}: {why}", alert.state, alert.labels)];
    lines.extend(alert.annotations.iter().map(|(name, text)| format!("      {name}: {text}")));
    lines
}

fn alert_json(alert: &Alert) -> Json {
    json!({
        "state": alert.state.to_string(), "labels": alert.labels, "annotations": alert.annotations,
        "value": alfred_ops_alerts::promql::SampleValue::Float(alert.value).to_string(),
        "active_at": alert.active_at, "fired_at": alert.fired_at, "resolved_at": alert.resolved_at,
        "reason": alert.reason.to_string(),
    })
}

fn when(time: chrono::DateTime<chrono::Utc>) -> String {
    show_time(time.timestamp_millis())
}

/// A duration as rule files have it.
pub(super) fn duration(duration: Duration) -> String {
    alfred_ops_alerts::promql::format_duration(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

fn more(number: usize) -> Option<String> {
    let more = number.saturating_sub(PRINTED_MAX);
    (more > 0).then(|| format!("    and {more} more; --json prints all"))
}
