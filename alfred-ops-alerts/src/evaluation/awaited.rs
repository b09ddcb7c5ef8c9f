//! Restored alerts that have not been seen again.

use std::collections::{BTreeMap, HashSet};

use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};

use crate::alert::Held;

/// Restored alerts that have not been seen again: the store is empty after a restart, and the first evaluation may come
/// before the first scrape.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    pub(super) labels: HashSet<Labels>,
    until: DateTime<Utc>,
}

impl Awaited {
    /// Waits for an alert until then.
    pub(super) fn add(&mut self, labels: Labels, until: DateTime<Utc>) {
        self.until = until;
        self.labels.insert(labels);
    }

    /// Waits no more for those whose condition holds, and for none once the time is over.
    pub(super) fn see(&mut self, held: &BTreeMap<Labels, Held>, now: DateTime<Utc>) {
        if now >= self.until {
            self.labels.clear();
        }
        if !self.labels.is_empty() {
            self.labels.retain(|labels| !held.contains_key(labels));
        }
    }
}
