//! What has been told.

use std::collections::{BTreeMap, BTreeSet};

use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};

use super::notification::group_key;
use super::{NotificationStatus, NotifiedAlert, Planned};
use crate::saved::{SavedTold, SavedToldAlert};

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

    /// Notes of the groups that are not among `unsettled` what `newer` holds of them: it has arrived.
    pub(crate) fn settle(&mut self, newer: &Self, unsettled: &BTreeSet<String>) {
        let waits = |group: &Labels| unsettled.contains(&group_key(group));
        self.groups.retain(|group, _| waits(group));
        let settled = newer.groups.iter().filter(|(group, _)| !waits(group));
        self.groups.extend(settled.map(|(group, told)| (group.clone(), told.clone())));
    }

    /// What has been told, to be saved.
    pub(crate) fn saved(&self) -> Vec<SavedTold> {
        let saved = |(group, told): (&Labels, &Told)| SavedTold {
            group: group.clone(),
            last: told.last,
            firing: told.firing.values().map(SavedToldAlert::of).collect(),
        };
        self.groups.iter().map(saved).collect()
    }

    /// Adds what was told before a restart. What has been told since stands.
    pub(crate) fn restore(&mut self, saved: &[SavedTold]) {
        for SavedTold { group, last, firing } in saved {
            let told = self
                .groups
                .entry(group.clone())
                .or_insert_with(|| Told { firing: BTreeMap::new(), last: *last });
            for alert in firing {
                told.firing.entry(alert.labels.clone()).or_insert_with(|| alert.alert());
            }
        }
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &Labels> {
        self.groups.keys()
    }

    pub(super) fn told(&self, group: &Labels) -> Option<&Told> {
        self.groups.get(group)
    }
}
