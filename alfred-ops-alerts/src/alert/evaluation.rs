//! From samples to alerts. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Labels, Result};
use chrono::{DateTime, TimeDelta, Utc};

use super::{Alert, AlertBook, AlertState, Reason, RuleHealth, RuleReport, Transition};
use crate::expr::{Moment, Outcome, Reading, duplicate};
use crate::rule::{ALERT_NAME, CheckedRule, RuleSet};
use crate::store::SampleStore;

/// How long a resolved alert is remembered, so that its resolution is told to sinks that were away.
pub const RESOLVED_RETENTION: Duration = Duration::from_secs(15 * 60);

/// A rule with more alerts than this is wrong about its labels, and would bury whoever is on call.
const ALERTS_PER_RULE_MAX: usize = 10_000;

/// What an evaluation came to.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Evaluation {
    /// All alerts as they stand now.
    pub book: AlertBook,
    /// What changed, and why.
    pub transitions: Vec<Transition>,
    /// How each rule fared.
    pub reports: Vec<RuleReport>,
}

/// Evaluates `rules` at `now`. Pure: the same arguments give the same result.
///
/// An alert is pending while its condition holds for less than the rule's `for`, then fires, and is resolved
/// once the condition does not hold and `keep_firing_for` has passed. As in Prometheus, a series that is not
/// there any more resolves its alert; the reason then is [`Reason::Vanished`], not [`Reason::Cleared`]. To be
/// told of missing data use a rule on [`Expr::Absent`](crate::Expr::Absent) or on `up`. A rule that cannot
/// be evaluated leaves its alerts as they were.
#[must_use]
pub fn evaluate(
    rules: &RuleSet,
    samples: &SampleStore,
    before: &AlertBook,
    now: DateTime<Utc>,
) -> Evaluation {
    let moment = Moment::new(samples, now);
    let mut evaluation = Evaluation::default();
    for checked in rules.checked() {
        let name = &checked.rule.name;
        let known = before.alerts(name);
        let health = match outcome(checked, &moment) {
            Ok((held, watched)) => {
                let step = Step { checked, watched: &watched, now, transitions: &mut evaluation.transitions };
                let counts = (watched.len(), held.len());
                evaluation.book.set(name, step.advance(known, held));
                match counts {
                    (0, _) => RuleHealth::NoData,
                    (watched, 0) => RuleHealth::Quiet { watched },
                    (watched, held) => RuleHealth::Holding { watched, held },
                }
            }
            Err(error) => {
                evaluation.book.set(name, known.cloned().unwrap_or_default());
                RuleHealth::Failed(Arc::new(error.with_target(name.clone())))
            }
        };
        evaluation.reports.push(RuleReport { rule: name.clone(), health });
    }
    evaluation
}

type Found = BTreeMap<Labels, Reading>;

/// The readings that hold and all that were looked at, by the labels of their alerts.
fn outcome(checked: &CheckedRule, moment: &Moment<'_>) -> Result<(Found, Found)> {
    let Outcome { held, watched } = moment.outcome(&checked.rule.expr)?;
    if held.len() > ALERTS_PER_RULE_MAX {
        let message = format!("{} alerts, more than {ALERTS_PER_RULE_MAX}", held.len());
        return Err(Error::new(ErrorKind::ResourceExhausted, "evaluate rule", message)
            .with_remedy("aggregate to fewer labels"));
    }
    let mut by_labels = Found::new();
    for reading in held {
        let labels = alert_labels(checked, &reading.labels);
        if by_labels.insert(labels.clone(), reading).is_some() {
            return Err(duplicate(&labels));
        }
    }
    // Two series watched may come to one alert's labels; that matters only when both hold.
    let watched =
        watched.into_iter().map(|reading| (alert_labels(checked, &reading.labels), reading)).collect();
    Ok((by_labels, watched))
}

fn alert_labels(checked: &CheckedRule, reading: &Labels) -> Labels {
    let own = reading.iter().filter(|(name, _)| *name != Labels::NAME);
    let added = checked.rule.labels.iter().map(|(name, value)| (&**name, &**value));
    Labels::from_pairs(own.chain(added).chain([(ALERT_NAME, &*checked.rule.name)]))
}

/// One step in time of one rule's alerts.
struct Step<'a> {
    checked: &'a CheckedRule,
    watched: &'a Found,
    now: DateTime<Utc>,
    transitions: &'a mut Vec<Transition>,
}

impl Step<'_> {
    fn advance(
        mut self,
        known: Option<&BTreeMap<Labels, Alert>>,
        mut held: Found,
    ) -> BTreeMap<Labels, Alert> {
        let mut alerts = BTreeMap::new();
        for alert in known.into_iter().flat_map(BTreeMap::values) {
            let next = match held.remove(&alert.labels) {
                Some(reading) if alert.state != AlertState::Resolved => {
                    Some(self.holds(alert.clone(), &reading))
                }
                // A resolved alert whose condition holds again is a new one.
                Some(reading) => Some(self.begins(alert.labels.clone(), &reading)),
                None => self.holds_not(alert.clone()),
            };
            if let Some(next) = next {
                alerts.insert(next.labels.clone(), next);
            }
        }
        for (labels, reading) in held {
            let alert = self.begins(labels.clone(), &reading);
            alerts.insert(labels, alert);
        }
        alerts
    }

    fn begins(&mut self, labels: Labels, reading: &Reading) -> Alert {
        let alert = Alert {
            labels,
            annotations: BTreeMap::new(),
            value: reading.value,
            state: AlertState::Inactive,
            reason: Reason::Held { since: self.now },
            active_at: self.now,
            fired_at: None,
            keep_firing_since: None,
            resolved_at: None,
        };
        self.holds(alert, reading)
    }

    fn holds(&mut self, mut alert: Alert, reading: &Reading) -> Alert {
        alert.value = reading.value;
        alert.annotations = self.annotations(&alert);
        alert.keep_firing_since = None;
        let since = alert.active_at;
        let fires_at = later(since, self.checked.rule.for_duration);
        if alert.state == AlertState::Firing || self.now >= fires_at {
            alert.fired_at = alert.fired_at.or(Some(self.now));
            self.stand(alert, AlertState::Firing, Reason::Held { since })
        } else {
            self.stand(alert, AlertState::Pending, Reason::Waiting { until: fires_at })
        }
    }

    fn holds_not(&mut self, mut alert: Alert) -> Option<Alert> {
        let reason =
            if self.watched.contains_key(&alert.labels) { Reason::Cleared } else { Reason::Vanished };
        match alert.state {
            AlertState::Inactive => None,
            AlertState::Pending => {
                self.stand(alert, AlertState::Inactive, reason);
                None
            }
            AlertState::Firing => {
                let until = later(
                    *alert.keep_firing_since.get_or_insert(self.now),
                    self.checked.rule.keep_firing_for,
                );
                if self.now < until {
                    return Some(self.stand(alert, AlertState::Firing, Reason::KeptFiring { until }));
                }
                alert.resolved_at = Some(self.now);
                Some(self.stand(alert, AlertState::Resolved, reason))
            }
            AlertState::Resolved => {
                let forgotten = alert.resolved_at.is_none_or(|at| self.now >= later(at, RESOLVED_RETENTION));
                (!forgotten).then_some(alert)
            }
        }
    }

    fn stand(&mut self, mut alert: Alert, to: AlertState, reason: Reason) -> Alert {
        let from = std::mem::replace(&mut alert.state, to);
        alert.reason = reason;
        if from != to {
            let Alert { labels, value, .. } = &alert;
            let (labels, value) = (labels.clone(), *value);
            self.transitions.push(Transition { labels, from, to, reason, at: self.now, value });
        }
        alert
    }

    fn annotations(&self, alert: &Alert) -> BTreeMap<String, String> {
        let fill = |(name, template): &(String, crate::rule::Template)| {
            (name.clone(), template.render(&alert.labels, alert.value))
        };
        self.checked.annotations.iter().map(fill).collect()
    }
}

fn later(time: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    time.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests;
