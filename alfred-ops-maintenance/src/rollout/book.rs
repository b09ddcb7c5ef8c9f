//! Where rollouts and people's wishes are kept.

use std::collections::VecDeque;
use std::sync::Arc;

use alfred_ops_core::{Expected, Fence, Found, Result, SharedClock, StateCell, StateStore};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::state::shortened;
use super::{Release, RolloutEnd, RolloutState};

/// Rollouts that the history keeps.
const HISTORY_MAX: usize = 32;
const WRITE: &str = "write rollout";

/// The rollouts of one target, in a state store: any host that shares the store may read them, pause, resume or abort.
#[derive(Debug, Clone)]
pub struct RolloutBook {
    cell: StateCell<Record>,
    clock: SharedClock,
}

/// A rollout that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PastRollout {
    /// Its id.
    pub id: String,
    /// What was rolled out.
    pub release: Release,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// How.
    pub end: RolloutEnd,
}

/// One document, so that the end of a rollout and the revision that is current change in one write.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The last good revision.
    pub(super) current: Option<String>,
    /// The rollout under way, or the last one.
    pub(super) rollout: Option<RolloutState>,
    /// Oldest first.
    pub(super) history: VecDeque<PastRollout>,
}

impl Record {
    pub(super) fn remember(&mut self, past: PastRollout) {
        while self.history.len() >= HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(past);
    }
}

impl RolloutBook {
    /// The book of the rollouts called `name`. Nothing is read or written before a call.
    #[must_use]
    pub fn new(store: Arc<dyn StateStore>, name: &str, clock: SharedClock) -> Self {
        Self { cell: StateCell::new(store, format!("rollout/{name}")), clock }
    }

    /// The rollout under way, else the last one.
    ///
    /// # Errors
    /// The store's.
    pub async fn state(&self) -> Result<Option<RolloutState>> {
        Ok(self.load().await?.0.rollout)
    }

    /// The current revision: the last that was found good, which a rollback goes to. None before the first rollout.
    ///
    /// # Errors
    /// The store's.
    pub async fn current(&self) -> Result<Option<String>> {
        Ok(self.load().await?.0.current)
    }

    /// The last rollouts that are over, oldest first, at most 32.
    ///
    /// # Errors
    /// The store's.
    pub async fn history(&self) -> Result<Vec<PastRollout>> {
        Ok(self.load().await?.0.history.into())
    }

    /// Lets the rollout rest with the split that it has, until somebody resumes it. Nothing is analysed meanwhile, but a
    /// candidate that is not ready goes back all the same. Tells whether there is one to rest.
    ///
    /// # Errors
    /// The store's; may be repeated.
    pub async fn pause(&self, reason: &str) -> Result<bool> {
        let now = self.clock.now();
        self.wish(|state| state.pause(reason, now)).await
    }

    /// Ends a pause. Tells whether there is a rollout under way.
    ///
    /// # Errors
    /// The store's; may be repeated.
    pub async fn resume(&self) -> Result<bool> {
        let now = self.clock.now();
        self.wish(|state| state.resume(now)).await
    }

    /// Sends the rollout back to the stable revision. One that is promoted already stays. Tells whether there is one under way.
    ///
    /// # Errors
    /// The store's; may be repeated.
    pub async fn abort(&self, reason: &str) -> Result<bool> {
        self.wish(|state| state.abort = Some(shortened(reason))).await
    }

    async fn wish(&self, mut edit: impl FnMut(&mut RolloutState) + Send) -> Result<bool> {
        self.cell
            .change(WRITE, None, |found| {
                let mut record = found.map_or_else(Record::default, |found| found.value);
                let Some(state) = record.rollout.as_mut().filter(|state| !state.is_over()) else {
                    return Ok((None, false));
                };
                edit(state);
                Ok((Some(record), true))
            })
            .await
    }

    /// The record, and what a write must expect that replaces it.
    pub(super) async fn load(&self) -> Result<(Record, Expected)> {
        let found = self.cell.load().await?;
        let expected = Found::expected(found.as_ref());
        Ok((found.map_or_else(Record::default, |found| found.value), expected))
    }

    /// Replaces what was read.
    pub(super) async fn save(&self, record: &Record, before: Expected, fence: Option<Fence>) -> Result<()> {
        self.cell.save(WRITE, record, before, fence).await.map(|_| ())
    }
}
