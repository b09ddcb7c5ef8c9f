//! What the engine keeps across restarts.

use std::collections::BTreeSet;
use std::sync::Arc;

use alfred_ops_core::{Fence, Result};
use chrono::{DateTime, Utc};

use super::AlertEngine;
use super::alert_engine::Desk;
use super::group::Group;
use crate::saved::{Outage, SavedState};

impl AlertEngine {
    /// Takes over the alerts of the last run and what was told of them, and its samples, as of `now`; only the first success does
    /// anything. [`run`](Self::run) and [`step`](Self::step) do so first; a host that evaluates by itself does so before
    /// its first evaluation.
    ///
    /// Firing alerts go on firing until an evaluation shows otherwise. Pending ones go on as in Prometheus: an outage
    /// longer than [`OUTAGE_TOLERANCE`](crate::OUTAGE_TOLERANCE) starts them over, a shorter one does not count, and at
    /// least [`GRACE`](crate::GRACE) remains. For as long as a query looks back, a series that is not there yet ends no
    /// restored alert: it may not have been scraped again. Without [`state`](super::AlertEngineBuilder::state) no alerts are
    /// taken over, without [`snapshot`](super::AlertEngineBuilder::snapshot) no samples.
    ///
    /// # Errors
    /// Those of [`StateStore::get`](alfred_ops_core::StateStore::get): call it again, nothing is saved until then.
    /// [`Corrupt`](alfred_ops_core::ErrorKind::Corrupt) or [`Unsupported`](alfred_ops_core::ErrorKind::Unsupported) for a
    /// document or a snapshot that cannot be read: it counts as none, and is replaced by the next save. Those of the disk.
    /// One does not keep the other from being taken over.
    pub async fn restore(&self, now: DateTime<Utc>) -> Result<()> {
        let samples = self.restore_samples(now).await;
        self.restore_alerts(now).await.and(samples)
    }

    pub(super) async fn restore_alerts(&self, now: DateTime<Utc>) -> Result<()> {
        let Some(keeper) = &self.parts().keeper else { return Ok(()) };
        keeper.load(now, &self.parts().clock, |saved| self.take_over(saved, now)).await
    }

    fn take_over(&self, saved: &SavedState, now: DateTime<Utc>) -> usize {
        let outage = Outage { from: saved.saved_at, until: now };
        let groups = self.parts().groups.read();
        let restore = |group: &Arc<Group>| group.with(|evaluator| evaluator.restore(&saved.rules, outage));
        let restored = groups.iter().filter_map(restore).sum();
        drop(groups);
        let mut desk = self.desk();
        desk.ledger.restore(&saved.told);
        desk.settled.restore(&saved.told);
        restored
    }

    /// Saves alerts and what was told of them, if they have changed or were saved more than 15 s ago, and the samples, if
    /// their snapshot is older than its interval.
    /// [`run`](Self::run) and [`step`](Self::step) do so.
    ///
    /// # Errors
    /// Those of [`StateStore::put`](alfred_ops_core::StateStore::put), except that a document that somebody else wrote is
    /// replaced, and counted in [`StateStatus::conflicts`](super::StateStatus::conflicts); those of the disk. The next save
    /// makes up for it.
    pub async fn save(&self, now: DateTime<Utc>) -> Result<()> {
        let samples = self.save_samples(now, false).await;
        self.save_alerts(now).await.and(samples)
    }

    pub(super) async fn save_alerts(&self, now: DateTime<Utc>) -> Result<()> {
        let Some(keeper) = &self.parts().keeper else { return Ok(()) };
        keeper.save(now, &self.parts().clock, || self.saved_state(now)).await
    }

    fn saved_state(&self, now: DateTime<Utc>) -> SavedState {
        let mut desk = self.desk();
        let mut unsettled = BTreeSet::new();
        for dispatch in &self.parts().dispatches {
            dispatch.enter_unsettled(&mut unsettled);
        }
        let Desk { ledger, settled, .. } = &mut *desk;
        settled.settle(ledger, &unsettled);
        let told = settled.saved();
        drop(desk);
        let groups = self.parts().groups.read();
        let saved = |group: &Arc<Group>| group.with(|evaluator| evaluator.saved().collect::<Vec<_>>());
        let rules = groups.iter().filter_map(saved).flatten().collect();
        SavedState::new(now, rules, told)
    }

    /// Says that there may be something to save.
    pub(super) fn note_change(&self, changed: bool) {
        if let Some(keeper) = self.parts().keeper.as_ref().filter(|_| changed) {
            keeper.changed.notify_one();
        }
    }

    pub(super) fn set_fence(&self, fence: Option<Fence>) {
        if let Some(keeper) = &self.parts().keeper {
            keeper.set_fence(fence);
        }
    }
}
