//! Groups and rules as Prometheus' HTTP APIs show them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::alert::{alerts, is_active, time};
use crate::alert::{Alert, AlertState, Alerts, RuleHealth, RuleReport};
use crate::rule::{GroupRule, Rule, RuleGroup};

/// A group that is evaluated at `interval`, with its rules, how they fare and their alerts.
pub(crate) fn group<'a>(
    group: &RuleGroup,
    rules: impl Iterator<Item = (&'a GroupRule, &'a RuleReport, &'a Alerts)>,
    interval: Duration,
) -> Value {
    let (mut last_evaluation, mut evaluation_time) = (None, Duration::ZERO);
    let mut shown = Vec::new();
    for (of, report, alerts) in rules {
        last_evaluation = last_evaluation.max(report.last_evaluation);
        evaluation_time = evaluation_time.saturating_add(report.evaluation_time);
        shown.push(rule(of, &group.labels, report, alerts));
    }
    json!({
        "name": group.name,
        "file": group.file,
        "rules": shown,
        "interval": interval.as_secs_f64(),
        "limit": group.limit,
        "evaluationTime": evaluation_time.as_secs_f64(),
        "lastEvaluation": time(last_evaluation),
    })
}

fn rule(
    rule: &GroupRule,
    group_labels: &BTreeMap<String, String>,
    report: &RuleReport,
    alerts: &Alerts,
) -> Value {
    // A rule's own label takes the place of its group's.
    let labels: BTreeMap<&String, &String> = group_labels.iter().chain(rule.labels()).collect();
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("name", rule.name().into());
    set("query", rule.expr().into());
    // As in Prometheus, a recording rule without labels has no such field.
    if !labels.is_empty() || matches!(rule, GroupRule::Alert(_)) {
        set("labels", json!(labels));
    }
    let (health, error) = health(&report.health);
    set("health", health.into());
    if let Some(error) = error {
        set("lastError", error.into());
    }
    set("evaluationTime", report.evaluation_time.as_secs_f64().into());
    set("lastEvaluation", time(report.last_evaluation).into());
    match rule {
        GroupRule::Record(_) => drop(set("type", "recording".into())),
        GroupRule::Alert(rule) => {
            set("type", "alerting".into());
            fields.extend(alerting(rule, alerts));
        }
    }
    fields.into()
}

/// What only an alerting rule has.
fn alerting(rule: &Rule, known: &Alerts) -> [(String, Value); 5] {
    let state = known.values().filter(|alert| is_active(alert)).map(|alert: &Alert| alert.state).max();
    [
        ("state", state.unwrap_or(AlertState::Inactive).to_string().into()),
        ("duration", rule.for_duration.as_secs_f64().into()),
        ("keepFiringFor", rule.keep_firing_for.as_secs_f64().into()),
        ("annotations", json!(rule.annotations)),
        ("alerts", alerts(known.values()).into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

/// How a rule fares, and its error: there is one whenever it does not fare well.
fn health(health: &RuleHealth) -> (&'static str, Option<String>) {
    match health {
        RuleHealth::Good { .. } => ("ok", None),
        RuleHealth::Unknown => ("unknown", Some("the rule has not been evaluated yet".to_owned())),
        RuleHealth::Failed(error) => ("err", Some(error.full())),
    }
}
