//! One step in time of one rule's alerts. Pure.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use alfred_ops_core::Labels;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Alert, AlertState, Reason, Transition};
use crate::rule::AlertPart;

/// How long a resolved alert is remembered, so that its resolution is told to sinks that were away.
pub const RESOLVED_RETENTION: Duration = Duration::from_secs(15 * 60);

/// The alerts of one rule by their labels.
pub(crate) type Alerts = BTreeMap<Labels, Alert>;

/// What a rule's expression came to for one alert.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Held {
    pub(crate) value: f64,
    pub(crate) annotations: BTreeMap<String, String>,
}

/// One step in time of one rule's alerts.
pub(crate) struct Step<'a, W: FnMut() -> HashSet<Labels>> {
    pub(crate) rule: &'a AlertPart,
    pub(crate) now: DateTime<Utc>,
    /// The labels of the alerts whose series are there, whether or not the condition holds; asked for only where an
    /// alert ends.
    pub(crate) watched: W,
    /// Alerts that were restored and whose series may not have been scraped again yet: that they are not there says
    /// nothing.
    pub(crate) awaited: &'a HashSet<Labels>,
    pub(crate) transitions: &'a mut Vec<Transition>,
}

impl<W: FnMut() -> HashSet<Labels>> Step<'_, W> {
    /// The alerts as they stand now, `held` being those whose condition holds.
    ///
    /// An alert is pending while its condition holds for less than the rule's `for`, then fires, and is resolved once the
    /// condition does not hold and `keep_firing_for` has passed, as in Prometheus.
    pub(crate) fn advance(mut self, known: Alerts, mut held: BTreeMap<Labels, Held>) -> Alerts {
        let mut present: Option<HashSet<Labels>> = None;
        let mut alerts = Alerts::new();
        for (labels, alert) in known {
            let next = match held.remove(&labels) {
                Some(found) if alert.state != AlertState::Resolved => Some(self.holds(alert, found)),
                // A resolved alert whose condition holds again is a new one.
                Some(found) => Some(self.begins(labels.clone(), found)),
                None if alert.state == AlertState::Resolved => self.remembered(alert),
                None => {
                    let present = present.get_or_insert_with(|| (self.watched)());
                    let reason = if present.contains(&labels) { Reason::Cleared } else { Reason::Vanished };
                    if reason == Reason::Vanished && self.awaited.contains(&labels) {
                        Some(alert)
                    } else {
                        self.holds_not(alert, reason)
                    }
                }
            };
            if let Some(next) = next {
                alerts.insert(labels, next);
            }
        }
        for (labels, found) in held {
            let alert = self.begins(labels.clone(), found);
            alerts.insert(labels, alert);
        }
        alerts
    }

    /// The alerts with those added that `held` says begin now; all others stay as they are.
    pub(crate) fn raise(mut self, mut known: Alerts, held: BTreeMap<Labels, Held>) -> Alerts {
        for (labels, found) in held {
            let stands = |alert: &Alert| alert.state != AlertState::Resolved;
            if !known.get(&labels).is_some_and(stands) {
                let alert = self.begins(labels.clone(), found);
                known.insert(labels, alert);
            }
        }
        known
    }

    fn begins(&mut self, labels: Labels, found: Held) -> Alert {
        let alert = Alert {
            labels,
            annotations: BTreeMap::new(),
            value: found.value,
            state: AlertState::Inactive,
            reason: Reason::Held { since: self.now },
            active_at: self.now,
            fired_at: None,
            keep_firing_since: None,
            resolved_at: None,
            last_sent_at: None,
        };
        self.holds(alert, found)
    }

    fn holds(&mut self, mut alert: Alert, found: Held) -> Alert {
        (alert.value, alert.annotations) = (found.value, found.annotations);
        alert.keep_firing_since = None;
        let since = alert.active_at;
        let fires_at = later(since, self.rule.for_duration);
        if alert.state == AlertState::Firing || self.now >= fires_at {
            alert.fired_at = alert.fired_at.or(Some(self.now));
            self.stand(alert, AlertState::Firing, Reason::Held { since })
        } else {
            self.stand(alert, AlertState::Pending, Reason::Waiting { until: fires_at })
        }
    }

    fn holds_not(&mut self, mut alert: Alert, reason: Reason) -> Option<Alert> {
        if alert.state != AlertState::Firing {
            self.stand(alert, AlertState::Inactive, reason);
            return None;
        }
        let until = later(*alert.keep_firing_since.get_or_insert(self.now), self.rule.keep_firing_for);
        if self.now < until {
            return Some(self.stand(alert, AlertState::Firing, Reason::KeptFiring { until }));
        }
        alert.resolved_at = Some(self.now);
        Some(self.stand(alert, AlertState::Resolved, reason))
    }

    fn remembered(&self, alert: Alert) -> Option<Alert> {
        let forgotten = alert.resolved_at.is_none_or(|at| self.now > later(at, RESOLVED_RETENTION));
        (!forgotten).then_some(alert)
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
}

fn later(time: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    time.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
