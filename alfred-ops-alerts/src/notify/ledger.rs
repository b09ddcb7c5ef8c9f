//! What has been told.

use std::collections::BTreeMap;

use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};

use super::{NotificationStatus, NotifiedAlert, Planned};

/// What has been told, by group: which alerts the other side believes to be firing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ledger {
    groups: BTreeMap<Labels, Told>,
}

/// What has been told of one group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) firing: BTreeMap<Labels, NotifiedAlert>,
    pub(super) last: DateTime<Utc>,
}

impl Ledger {
    /// Notes that `planned` is being told.
    pub fn record(&mut self, planned: &Planned) {
        let firing: BTreeMap<Labels, NotifiedAlert> = planned
            .all_alerts
            .iter()
            .filter(|alert| alert.status == NotificationStatus::Firing)
            .map(|alert| (alert.labels.clone(), alert.clone()))
            .collect();
        let group = &planned.notification.group_labels;
        if firing.is_empty() {
            self.groups.remove(group);
        } else {
            self.groups.insert(group.clone(), Told { firing, last: planned.notification.made_at });
        }
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &Labels> {
        self.groups.keys()
    }

    pub(super) fn told(&self, group: &Labels) -> Option<&Told> {
        self.groups.get(group)
    }
}
