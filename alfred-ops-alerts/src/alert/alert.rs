//! One alert.

use std::collections::BTreeMap;

use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};

use super::{AlertState, Reason};
use crate::rule::ALERT_NAME;

/// One alert: what one rule says about one set of labels.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Alert {
    /// Its labels: those of the reading, the rule's, and `alertname`.
    pub labels: Labels,
    /// What a person is told, filled in with the value last read.
    pub annotations: BTreeMap<String, String>,
    /// The value last read while the condition held.
    pub value: f64,
    /// Where it stands.
    pub state: AlertState,
    /// Why it stands there.
    pub reason: Reason,
    /// Since when the condition holds.
    pub active_at: DateTime<Utc>,
    /// When it began to fire.
    pub fired_at: Option<DateTime<Utc>>,
    /// Since when the condition holds no more while the rule keeps it firing.
    pub keep_firing_since: Option<DateTime<Utc>>,
    /// When it resolved.
    pub resolved_at: Option<DateTime<Utc>>,
    /// When it was last sent to Alertmanagers. It is not kept across restarts: they are told anew.
    pub last_sent_at: Option<DateTime<Utc>>,
}

impl Alert {
    /// The name of the alert's rule.
    #[must_use]
    pub fn name(&self) -> &str {
        self.labels.get(ALERT_NAME).unwrap_or_default()
    }

    /// What tells the alert from all others, equal to Alertmanager's fingerprint of the same labels.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.labels.fingerprint()
    }
}
