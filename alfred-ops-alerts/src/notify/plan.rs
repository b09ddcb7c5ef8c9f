//! Decides what is told now. Pure.

use std::collections::BTreeMap;

use alfred_ops_core::Labels;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Ledger, Notification, NotificationStatus, NotifiedAlert, NotifyPolicy};
use crate::alert::{Alert, AlertBook, AlertState};
use crate::rule::ALERT_NAME;

/// Why a group is told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Due {
    /// Alerts began to fire.
    NewAlerts,
    /// Alerts resolved.
    Resolved,
    /// It still fires and was told of long ago.
    Reminder,
}

/// A notification to be sent, and why.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Planned {
    /// The notification.
    pub notification: Notification,
    /// Why it is sent.
    pub due: Due,
    /// All of the group's alerts, those included that the notification leaves out for their number.
    pub(super) all_alerts: Vec<NotifiedAlert>,
}

/// Decides what is told at `now`, one notification for each alert name at most.
///
/// A group is told when an alert of it begins to fire, when one that was told of resolves, and again after
/// the policy's repetition. An alert that resolves before it was told of is not told at all. Nothing else is
/// due: the group has not changed since it was told.
#[must_use]
pub fn plan_notifications(
    book: &AlertBook,
    ledger: &Ledger,
    policy: &NotifyPolicy,
    now: DateTime<Utc>,
) -> Vec<Planned> {
    let mut groups: BTreeMap<Labels, BTreeMap<Labels, &Alert>> =
        ledger.groups().map(|group| (group.clone(), BTreeMap::new())).collect();
    for alert in book.iter() {
        let group = Labels::from_pairs([(ALERT_NAME, alert.name())]);
        groups.entry(group).or_default().insert(alert.labels.clone(), alert);
    }
    groups.into_iter().filter_map(|(group, alerts)| plan_group(group, &alerts, ledger, policy, now)).collect()
}

fn plan_group(
    group: Labels,
    alerts: &BTreeMap<Labels, &Alert>,
    ledger: &Ledger,
    policy: &NotifyPolicy,
    now: DateTime<Utc>,
) -> Option<Planned> {
    let told = ledger.told(&group);
    let told_start = |labels: &Labels| Some(told?.firing.get(labels)?.starts_at);
    let firing: Vec<NotifiedAlert> = alerts
        .values()
        .filter(|alert| alert.state == AlertState::Firing)
        .map(|alert| firing(alert))
        .collect();
    let any_new = firing.iter().any(|alert| told_start(&alert.labels) != Some(alert.starts_at));
    let still_firing =
        |labels: &Labels| alerts.get(labels).is_some_and(|alert| alert.state == AlertState::Firing);
    let resolved: Vec<NotifiedAlert> = told
        .into_iter()
        .flat_map(|told| told.firing.values())
        .filter(|told| !still_firing(&told.labels))
        .map(|told| resolved(told, alerts.get(&told.labels).and_then(|alert| alert.resolved_at), now))
        .collect();
    let repeat_after = TimeDelta::from_std(policy.repeat_after).unwrap_or(TimeDelta::MAX);
    let due = if any_new {
        Due::NewAlerts
    } else if !resolved.is_empty() {
        Due::Resolved
    } else if told.is_some_and(|told| now - told.last >= repeat_after) {
        Due::Reminder
    } else {
        return None;
    };
    let all_alerts: Vec<NotifiedAlert> = firing.into_iter().chain(resolved).collect();
    let mut notification = Notification::new(group, all_alerts.clone(), policy.alerts_max, now);
    notification.external_url.clone_from(&policy.external_url);
    Some(Planned { notification, due, all_alerts })
}

fn firing(alert: &Alert) -> NotifiedAlert {
    NotifiedAlert {
        status: NotificationStatus::Firing,
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        value: alert.value,
        starts_at: alert.fired_at.unwrap_or(alert.active_at),
        ends_at: None,
    }
}

fn resolved(told: &NotifiedAlert, resolved_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> NotifiedAlert {
    NotifiedAlert {
        status: NotificationStatus::Resolved,
        ends_at: Some(resolved_at.unwrap_or(now)),
        ..told.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::promql::QueryOptions;
    use crate::{Expr, Rule, RuleEvaluator, RuleSet, SampleStore, Selector};

    /// Plays values of two series, one step a minute, and writes what is told.
    fn told(steps: &[[f64; 2]], policy: &NotifyPolicy) -> Vec<String> {
        let rules =
            RuleSet::new([Rule::new("Down", Expr::from(Selector::metric("up")).equal_to(0.0))]).unwrap();
        let (samples, mut ledger) = (std::sync::RwLock::new(SampleStore::default()), Ledger::default());
        let mut evaluator = RuleEvaluator::new(&rules, &QueryOptions::default());
        let mut lines = Vec::new();
        let mut now = DateTime::UNIX_EPOCH;
        for (minute, values) in steps.iter().enumerate() {
            for (instance, value) in ["a", "b"].iter().zip(values) {
                let labels = Labels::metric("up").with("instance", instance);
                samples.write().unwrap().append(&labels, now, *value);
            }
            evaluator.evaluate(&samples, now);
            for planned in plan_notifications(&evaluator.book(), &ledger, policy, now) {
                ledger.record(&planned);
                let Planned { notification, due, .. } = planned;
                let alerts: Vec<String> = notification
                    .alerts
                    .iter()
                    .map(|alert| format!("{}={}", alert.labels.get("instance").unwrap(), alert.status.name()))
                    .collect();
                let cut = notification.truncated_alerts;
                lines.push(format!(
                    "{minute}: {due:?} {} {} +{cut}",
                    notification.status.name(),
                    alerts.join(" ")
                ));
            }
            now += TimeDelta::minutes(1);
        }
        lines
    }

    #[test]
    fn changes_are_told_once_and_resolutions_too() {
        let steps =
            [[1.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0]];
        assert_eq!(
            told(&steps, &NotifyPolicy::default()),
            [
                "1: NewAlerts firing a=firing +0",
                "3: NewAlerts firing a=firing b=firing +0",
                "4: Resolved firing b=firing a=resolved +0",
                "6: Resolved resolved b=resolved +0",
            ]
        );
    }

    #[test]
    fn what_still_fires_is_told_again() {
        let policy = NotifyPolicy::default().with_repeat_after(Duration::from_secs(120)).with_alerts_max(1);
        assert_eq!(
            told(&[[0.0, 0.0]; 5], &policy),
            [
                "0: NewAlerts firing a=firing +1",
                "2: Reminder firing a=firing +1",
                "4: Reminder firing a=firing +1"
            ]
        );
    }

    #[test]
    fn what_is_shared_is_told_as_common() {
        let alert = |instance: &str| NotifiedAlert {
            status: NotificationStatus::Firing,
            labels: Labels::from_pairs([("alertname", "Down"), ("job", "agents"), ("instance", instance)]),
            annotations: [
                ("runbook".to_owned(), "r".to_owned()),
                ("summary".to_owned(), instance.to_owned()),
            ]
            .into(),
            value: 0.0,
            starts_at: DateTime::UNIX_EPOCH,
            ends_at: None,
        };
        let group = Labels::from_pairs([("alertname", "Down")]);
        let notification = Notification::new(group, vec![alert("a"), alert("b")], 1, DateTime::UNIX_EPOCH);
        assert_eq!(notification.common_labels.to_string(), "{alertname=\"Down\",job=\"agents\"}");
        assert_eq!(notification.common_annotations.len(), 1);
        assert_eq!(notification.group_key, "{}:{alertname=\"Down\"}");
        assert_eq!(notification.truncated_alerts, 1);
    }
}
