//! What was told of a group, as it is saved.

use std::collections::BTreeMap;

use alfred_ops_core::Labels;
use chrono::serde::ts_milliseconds;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::notify::{NotificationStatus, NotifiedAlert};

/// What was told of a group: that these alerts fire. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedTold {
    pub(crate) group: Labels,
    #[serde(with = "ts_milliseconds")]
    pub(crate) last: DateTime<Utc>,
    pub(crate) firing: Vec<SavedToldAlert>,
}

/// An alert that was told of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedToldAlert {
    pub(crate) labels: Labels,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    value: String,
    #[serde(with = "ts_milliseconds")]
    starts_at: DateTime<Utc>,
}

impl SavedToldAlert {
    pub(crate) fn of(alert: &NotifiedAlert) -> Self {
        Self {
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            value: alert.value.to_string(),
            starts_at: alert.starts_at,
        }
    }

    pub(crate) fn alert(&self) -> NotifiedAlert {
        NotifiedAlert {
            status: NotificationStatus::Firing,
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
            value: self.value.parse().unwrap_or(f64::NAN),
            starts_at: self.starts_at,
            ends_at: None,
        }
    }
}
