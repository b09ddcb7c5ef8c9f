//! A store for tests and for hosts that need nothing durable.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::key::{check_key, check_prefix};
use super::write::conflict;
use super::{Document, Expected, LIST_LIMIT_MAX, StateStore, Write};
use crate::{Fence, Result, SharedClock, SystemClock};

/// Documents in memory, gone with the last clone. Clones share them.
#[derive(Debug, Clone)]
pub struct MemoryStateStore {
    clock: SharedClock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    documents: BTreeMap<String, (Value, u64)>,
    last_version: u64,
}

impl State {
    fn judge(
        &self,
        operation: &'static str,
        key: &str,
        expected: Expected,
        fence: Option<&Fence>,
    ) -> Result<()> {
        if let Some(fence) = fence {
            let lease = self.documents.get(&fence.document_key());
            fence.judge(operation, lease.map(|(value, _)| value))?;
        }
        let holds = match (expected, self.documents.get(key)) {
            (Expected::Absent, None) => true,
            (Expected::Version(wanted), Some((_, version))) => wanted == *version,
            _ => false,
        };
        if holds { Ok(()) } else { Err(conflict(operation, key, expected)) }
    }
}

impl MemoryStateStore {
    /// An empty store whose clock is `clock`.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, state: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStateStore {
    fn default() -> Self {
        Self::new(SystemClock::shared())
    }
}

#[async_trait]
impl StateStore for MemoryStateStore {
    async fn get(&self, key: &str) -> Result<Option<Document>> {
        check_key("get state", key)?;
        let state = self.lock();
        Ok(state
            .documents
            .get(key)
            .map(|(value, version)| Document::new(key, value.clone(), *version, self.clock.now())))
    }

    async fn put(&self, write: &Write) -> Result<u64> {
        write.check()?;
        let mut state = self.lock();
        state.judge("put state", &write.key, write.expected, write.fence.as_ref())?;
        state.last_version += 1;
        let version = state.last_version;
        state.documents.insert(write.key.clone(), (write.value.clone(), version));
        Ok(version)
    }

    async fn delete(&self, key: &str, expected: Expected, fence: Option<Fence>) -> Result<()> {
        check_key("delete state", key)?;
        let mut state = self.lock();
        state.judge("delete state", key, expected, fence.as_ref())?;
        state.documents.remove(key);
        Ok(())
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Document>> {
        check_prefix("list state", prefix)?;
        check_prefix("list state", after)?;
        let state = self.lock();
        let start = if after >= prefix { Bound::Excluded(after) } else { Bound::Included(prefix) };
        Ok(state
            .documents
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit.min(LIST_LIMIT_MAX))
            .map(|(key, (value, version))| {
                Document::new(key.as_str(), value.clone(), *version, self.clock.now())
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::conformance;

    #[tokio::test]
    async fn it_conforms() {
        conformance::state_store(&MemoryStateStore::default()).await;
        conformance::state_store(&Arc::new(MemoryStateStore::default())).await;
    }
}
