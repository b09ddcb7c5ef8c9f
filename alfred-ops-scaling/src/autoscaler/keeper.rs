//! Keeps what the kernel remembers in a store.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{ClockExt as _, Error, ErrorKind, JobContext, Result, StateStore, Write};
use chrono::{DateTime, TimeDelta, Utc};

use crate::State;

/// How long one call of the store may take: decisions do not wait for it.
const CALL_MAX: Duration = Duration::from_secs(2);
/// How often the state is kept.
const INTERVAL: TimeDelta = TimeDelta::seconds(15);

/// Keeps what the kernel remembers in one document of a store.
#[derive(Debug)]
pub(super) struct Keeper {
    store: Arc<dyn StateStore>,
    key: String,
    loaded: bool,
    /// The document's version; none if there is none.
    version: Option<u64>,
    kept_at: Option<DateTime<Utc>>,
}

impl Keeper {
    pub(super) fn new(store: Arc<dyn StateStore>, key: String) -> Self {
        Self { store, key, loaded: false, version: None, kept_at: None }
    }

    /// What was kept, the first time; nothing if there is nothing, or it cannot be read: decisions then begin without a past.
    pub(super) async fn load(&mut self, context: &JobContext) -> Option<State> {
        if std::mem::replace(&mut self.loaded, true) {
            return None;
        }
        let read = context.clock.timeout(CALL_MAX, "read scaling state", self.store.get(&self.key)).await;
        let document = match read.flatten() {
            Ok(document) => document?,
            Err(error) => {
                tracing::warn!(error = error.full(), "scaling begins without what was kept");
                return None;
            }
        };
        self.version = Some(document.version);
        serde_json::from_value(document.value)
            .inspect_err(|error| tracing::warn!(%error, "scaling begins without what was kept"))
            .ok()
    }

    /// Keeps the state, now and then. A store that fails is asked again at the next time.
    pub(super) async fn keep(&mut self, state: &State, context: &JobContext) {
        let now = context.now();
        if self.kept_at.is_some_and(|at| (TimeDelta::zero()..INTERVAL).contains(&(now - at))) {
            return;
        }
        self.kept_at = Some(now);
        let written = context.clock.timeout(CALL_MAX, "keep scaling state", self.write(state, context)).await;
        if let Err(error) = written.flatten() {
            tracing::warn!(error = error.full(), "scaling state is not kept");
        }
    }

    async fn write(&mut self, state: &State, context: &JobContext) -> Result<()> {
        let value = serde_json::to_value(state).map_err(|source| {
            Error::new(ErrorKind::Internal, "keep scaling state", "the state cannot be written")
                .with_source(source)
        })?;
        let write = match self.version {
            Some(version) => Write::replace(self.key.clone(), value, version),
            None => Write::create(self.key.clone(), value),
        };
        match self.store.put(&write.with_fence(context.fence.clone())).await {
            Ok(version) => self.version = Some(version),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                // Somebody else has written: the next time replaces it.
                self.version = self.store.get(&self.key).await?.map(|document| document.version);
                return Err(error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
