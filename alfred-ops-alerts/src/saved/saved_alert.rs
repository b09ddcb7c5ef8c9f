//! An alert as it is saved.

use std::collections::BTreeMap;

use alfred_ops_core::Labels;
use chrono::serde::{ts_milliseconds, ts_milliseconds_option};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::alert::{Alert, AlertState, Reason};

/// An alert as it is saved. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedAlert {
    pub(crate) state: SavedStand,
    pub(crate) labels: Labels,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    /// As text: JSON has neither infinities nor "not a number".
    pub(crate) value: String,
    #[serde(with = "ts_milliseconds")]
    pub(crate) active_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "ts_milliseconds_option")]
    pub(crate) fired_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "ts_milliseconds_option")]
    pub(crate) keep_firing_since: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "ts_milliseconds_option")]
    pub(crate) resolved_at: Option<DateTime<Utc>>,
    /// Whether it resolved because its series was not there any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) vanished: bool,
}

/// Where a saved alert stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SavedStand {
    Pending,
    Firing,
    Resolved,
}

impl SavedAlert {
    /// `None` for an alert that does not stand anywhere.
    pub(crate) fn of(alert: &Alert) -> Option<Self> {
        let state = match alert.state {
            AlertState::Inactive => return None,
            AlertState::Pending => SavedStand::Pending,
            AlertState::Firing => SavedStand::Firing,
            AlertState::Resolved => SavedStand::Resolved,
        };
        Some(Self {
            state,
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            value: alert.value.to_string(),
            active_at: alert.active_at,
            fired_at: alert.fired_at,
            keep_firing_since: alert.keep_firing_since,
            resolved_at: alert.resolved_at,
            vanished: alert.reason == Reason::Vanished,
        })
    }

    /// The alert as it was saved. Its reason is that of an alert whose condition holds, until somebody knows better.
    pub(crate) fn alert(&self) -> Alert {
        let (state, reason) = match self.state {
            SavedStand::Pending => (AlertState::Pending, Reason::Held { since: self.active_at }),
            SavedStand::Firing => (AlertState::Firing, Reason::Held { since: self.active_at }),
            SavedStand::Resolved if self.vanished => (AlertState::Resolved, Reason::Vanished),
            SavedStand::Resolved => (AlertState::Resolved, Reason::Cleared),
        };
        Alert {
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
            value: self.value.parse().unwrap_or(f64::NAN),
            state,
            reason,
            active_at: self.active_at,
            fired_at: self.fired_at,
            keep_firing_since: self.keep_firing_since,
            resolved_at: self.resolved_at,
            last_sent_at: None,
        }
    }
}
