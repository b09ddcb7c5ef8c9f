//! What Alertmanagers are told, and how often. Pure.

use std::time::Duration;

use alfred_ops_core::Labels;
use chrono::{DateTime, TimeDelta, Utc};

use super::PostedAlert;
use crate::alert::{Alert, AlertState, RESOLVED_RETENTION};
use crate::relabel::{RelabelRule, apply};
use crate::template::query_escape;

/// As often as a Prometheus repeats itself.
const RESEND_DELAY: Duration = Duration::from_secs(60);
/// As many as a Prometheus lets wait: some megabytes.
const WAITING_MAX: usize = 10_000;
/// As many as a Prometheus tells of at once: well below the megabytes that proxies refuse.
const BATCH_MAX: usize = 256;
/// An alert is believed for so many rounds without news, so that two of them may get lost.
const ROUNDS_BELIEVED: u32 = 4;

/// What Alertmanagers are told, and how often.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AlertmanagerPolicy {
    /// How long after an alert was sent it is sent again, by the first evaluation that is as late or later.
    pub resend_delay: Duration,
    /// Labels added to each alert that has none of the same name.
    pub external_labels: Labels,
    /// Rules for the labels of what is sent, after the external ones were added; they may drop an alert. These are the
    /// `alert_relabel_configs` of Prometheus.
    pub relabel_rules: Vec<RelabelRule>,
    /// The address below which people can look at an expression, as `<address>/graph?g0.expr=…&g0.tab=1`. Without it alerts
    /// carry no such link.
    pub external_url: Option<String>,
    /// How many alerts may wait for one Alertmanager. Beyond it the oldest give way, which is counted: what still holds is
    /// sent again.
    pub waiting_max: usize,
    /// How many alerts are sent at once.
    pub batch_max: usize,
}

impl Default for AlertmanagerPolicy {
    /// Every minute, no labels and rules, no address, 10,000 alerts waiting, 256 at once: as Prometheus 3.
    fn default() -> Self {
        Self {
            resend_delay: RESEND_DELAY,
            external_labels: Labels::empty(),
            relabel_rules: Vec::new(),
            external_url: None,
            waiting_max: WAITING_MAX,
            batch_max: BATCH_MAX,
        }
    }
}

/// Why an alert is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PostReason {
    /// It fires and was not sent before.
    Firing,
    /// It resolved since it was last sent.
    Resolved,
    /// It was last sent long enough ago.
    Again,
}

impl AlertmanagerPolicy {
    /// Sets how long after an alert was sent it is sent again.
    #[must_use]
    pub const fn with_resend_delay(mut self, delay: Duration) -> Self {
        self.resend_delay = delay;
        self
    }

    /// Adds a label to each alert that has none of the same name.
    #[must_use]
    pub fn with_external_label(mut self, name: &str, value: &str) -> Self {
        self.external_labels = self.external_labels.with(name, value);
        self
    }

    /// Adds a rule for the labels of what is sent, behind the others.
    #[must_use]
    pub fn with_relabel_rule(mut self, rule: RelabelRule) -> Self {
        self.relabel_rules.push(rule);
        self
    }

    /// Sets the address below which people can look at an expression.
    #[must_use]
    pub fn with_external_url(mut self, url: impl Into<String>) -> Self {
        self.external_url = Some(url.into());
        self
    }

    /// Whether `alert` is sent after an evaluation of its rule at `now`, and why.
    ///
    /// One that fires is sent at once and then whenever the resend delay has passed; so is one that has resolved, for
    /// [`RESOLVED_RETENTION`] or until it begins anew. A pending one is never sent.
    #[must_use]
    pub fn due(&self, alert: &Alert, now: DateTime<Utc>) -> Option<PostReason> {
        let resolved_at = match alert.state {
            AlertState::Inactive | AlertState::Pending => return None,
            AlertState::Firing => None,
            AlertState::Resolved => Some(alert.resolved_at?),
        };
        if resolved_at.is_some_and(|at| now >= later(at, RESOLVED_RETENTION)) {
            return None;
        }
        match (alert.last_sent_at, resolved_at) {
            (None, None) => Some(PostReason::Firing),
            (None, Some(_)) => Some(PostReason::Resolved),
            (Some(sent), Some(resolved)) if resolved > sent => Some(PostReason::Resolved),
            (Some(sent), _) => (now >= later(sent, self.resend_delay)).then_some(PostReason::Again),
        }
    }

    /// What is sent of `alert` after an evaluation at `now` of the rule with this expression, whose group is evaluated at
    /// this interval; `None` if relabelling drops it.
    #[must_use]
    pub fn post(
        &self,
        alert: &Alert,
        expr: &str,
        interval: Duration,
        now: DateTime<Utc>,
    ) -> Option<PostedAlert> {
        let external = self.external_labels.iter();
        let labels = Labels::from_pairs(external.chain(alert.labels.iter()));
        let believed = self.resend_delay.max(interval).saturating_mul(ROUNDS_BELIEVED);
        Some(PostedAlert {
            labels: apply(&self.relabel_rules, labels)?,
            annotations: alert.annotations.clone(),
            starts_at: alert.fired_at.unwrap_or(alert.active_at),
            ends_at: match alert.state {
                AlertState::Resolved => alert.resolved_at.unwrap_or(now),
                _ => later(now, believed),
            },
            generator_url: self.external_url.as_ref().map(|base| {
                format!("{}/graph?g0.expr={}&g0.tab=1", base.trim_end_matches('/'), query_escape(expr))
            }),
        })
    }

    /// What is wrong with it.
    pub(crate) fn problems(&self) -> impl Iterator<Item = String> {
        let url = self.external_url.as_ref();
        let no_link = url.filter(|url| !url.starts_with("http://") && !url.starts_with("https://"));
        let zero = [("waiting_max", self.waiting_max), ("batch_max", self.batch_max)];
        let zero = zero.into_iter().filter(|(_, limit)| *limit == 0);
        let zero = zero.map(|(name, _)| format!("AlertmanagerPolicy::{name} is zero; give at least 1"));
        let no_link = no_link.map(|url| {
            format!("AlertmanagerPolicy::external_url is {url:?}; give one such as https://host/prometheus")
        });
        zero.chain(no_link)
    }
}

fn later(time: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    time.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
