//! Keeps the engine's state in a store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_ops_core::{ClockExt as _, Error, ErrorKind, Fence, Result, SharedClock, StateStore, Write};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;

use super::StateStatus;
use crate::saved::SavedState;

/// How long one call of the store may take: a last save must fit into what an orchestrator waits.
const CALL_MAX: Duration = Duration::from_secs(2);
/// How often the state is saved although nothing changed, so that an outage is not taken to be longer than it was.
pub(super) const SAVE_INTERVAL: Duration = Duration::from_secs(15);

/// Keeps the engine's state in one document of a store.
#[derive(Debug)]
pub(super) struct Keeper {
    store: Arc<dyn StateStore>,
    key: String,
    /// Held while the store is asked, so that saves do not overtake one another.
    progress: tokio::sync::Mutex<Progress>,
    status: Mutex<StateStatus>,
    fence: Mutex<Option<Fence>>,
    /// Says that there is something to save.
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
struct Progress {
    /// The document's version; `None` if there is none.
    version: Option<u64>,
    last: Option<SavedState>,
    loaded: bool,
}

impl Keeper {
    pub(super) fn new(store: Arc<dyn StateStore>, key: String) -> Self {
        Self {
            store,
            key,
            progress: tokio::sync::Mutex::default(),
            status: Mutex::default(),
            fence: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Writes under this lease from now on.
    pub(super) fn set_fence(&self, fence: Option<Fence>) {
        *self.fence.lock().unwrap_or_else(PoisonError::into_inner) = fence;
    }

    pub(super) fn status(&self) -> StateStatus {
        self.desk().clone()
    }

    /// Reads the document and hands it to `take`, which returns how many alerts it took over; does nothing if that has
    /// happened before. A document that cannot be read counts as none, and is replaced by the next save.
    pub(super) async fn load(
        &self,
        now: DateTime<Utc>,
        clock: &SharedClock,
        take: impl FnOnce(&SavedState) -> usize + Send,
    ) -> Result<()> {
        let mut progress = self.progress.lock().await;
        if progress.loaded {
            return Ok(());
        }
        let read = clock.timeout(CALL_MAX, "read alert state", self.store.get(&self.key)).await;
        let document = self.noted(read.flatten())?;
        progress.loaded = true;
        progress.version = document.as_ref().map(|document| document.version);
        let read = document.as_ref().map(SavedState::read).transpose();
        let restored = read.as_ref().ok().and_then(Option::as_ref).map_or(0, take);
        {
            let mut status = self.desk();
            (status.restored_at, status.restored) = (Some(now), restored);
        }
        self.noted(read).map(drop)
    }

    /// Saves what `state` makes, if it says something else than what was saved last or that is old. Saves nothing before
    /// the state of the last run has been read.
    pub(super) async fn save(
        &self,
        now: DateTime<Utc>,
        clock: &SharedClock,
        state: impl FnOnce() -> SavedState + Send,
    ) -> Result<()> {
        let mut progress = self.progress.lock().await;
        if !progress.loaded {
            return Ok(());
        }
        let state = state();
        if !is_due(progress.last.as_ref(), &state, progress.version.is_some()) {
            return Ok(());
        }
        let written =
            clock.timeout(CALL_MAX, "save alert state", self.write(&mut progress.version, &state)).await;
        self.noted(written.flatten())?;
        let mut status = self.desk();
        (status.saved_at, status.omitted) = (Some(now), state.omitted);
        drop(status);
        progress.last = Some(state);
        Ok(())
    }

    /// Writes over whatever is there. Of two engines that share a key the one that evaluates last is right; that there
    /// are two shows in the status.
    async fn write(&self, version: &mut Option<u64>, state: &SavedState) -> Result<()> {
        match self.put(*version, state).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.desk().conflicts += 1;
                *version = self.store.get(&self.key).await?.map(|document| document.version);
                *version = Some(self.put(*version, state).await?);
            }
            outcome => *version = Some(outcome?),
        }
        Ok(())
    }

    async fn put(&self, version: Option<u64>, state: &SavedState) -> Result<u64> {
        let value = serde_json::to_value(state).map_err(|source| {
            Error::new(ErrorKind::Internal, "save alert state", "the state cannot be written")
                .with_source(source)
        })?;
        let write = match version {
            Some(version) => Write::replace(self.key.clone(), value, version),
            None => Write::create(self.key.clone(), value),
        };
        let fence = self.fence.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.store.put(&write.with_fence(fence)).await
    }

    /// Notes how an attempt went, and logs where that changes.
    fn noted<T>(&self, outcome: Result<T>) -> Result<T> {
        let error = outcome.as_ref().err().map(Error::full);
        let mut status = self.desk();
        if let Some(error) = error.as_ref().filter(|_| status.last_error.is_none()) {
            tracing::warn!(key = self.key, error, "alert state cannot be kept");
        }
        status.last_error = error;
        drop(status);
        outcome
    }

    fn desk(&self) -> MutexGuard<'_, StateStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `state` is worth a write.
fn is_due(last: Option<&SavedState>, state: &SavedState, exists: bool) -> bool {
    let Some(last) = last else { return exists || !state.is_empty() };
    let interval = TimeDelta::from_std(SAVE_INTERVAL).unwrap_or_default();
    let old = state.saved_at - last.saved_at >= interval || state.saved_at < last.saved_at;
    !state.says_the_same_as(last) || (old && !state.is_empty())
}
