//! A service whose whole state is a map.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use alfred_ops_core::{Error, ErrorKind, JobContext, Result};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::{Backend, Captured, RecoveryTarget, RestoreRequest, Restored};
use crate::{Piece, SnapshotReader, SnapshotWriter};

/// A service whose whole state is a map from names to bytes: for tests and examples.
///
/// A restore replaces the map at once; the request's destination is not used.
#[derive(Debug, Default)]
pub struct MemoryBackend {
    files: Mutex<BTreeMap<String, Bytes>>,
}

impl MemoryBackend {
    /// A service without state.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets one value.
    pub fn insert(&self, name: impl Into<String>, value: impl Into<Bytes>) {
        self.lock().insert(name.into(), value.into());
    }

    /// The present state.
    #[must_use]
    pub fn state(&self) -> BTreeMap<String, Bytes> {
        self.lock().clone()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    fn kind(&self) -> &str {
        "memory"
    }

    async fn capture(&self, _context: &JobContext, snapshot: &mut SnapshotWriter) -> Result<Captured> {
        snapshot.build_on(self.kind(), |_| true).await?;
        for (name, value) in self.state() {
            snapshot.begin_file(&name, 0o600, 0).await?;
            snapshot.write(&value).await?;
        }
        Ok(Captured::new("memory:"))
    }

    async fn restore(
        &self,
        _context: &JobContext,
        mut snapshot: SnapshotReader,
        request: &RestoreRequest,
    ) -> Result<Restored> {
        if !matches!(request.target, RecoveryTarget::Latest | RecoveryTarget::Immediate) {
            return Err(Error::new(ErrorKind::Unsupported, "restore", "a memory backend keeps no log"));
        }
        let mut files: BTreeMap<String, BytesMut> = BTreeMap::new();
        let mut last = String::new();
        while let Some(piece) = snapshot.next().await? {
            match piece {
                Piece::Entry(entry) => {
                    last = entry.path;
                    files.insert(last.clone(), BytesMut::new());
                }
                Piece::Data { data, .. } => files.entry(last.clone()).or_default().extend_from_slice(&data),
            }
        }
        let files: BTreeMap<String, Bytes> =
            files.into_iter().map(|(name, value)| (name, value.freeze())).collect();
        let bytes = files.values().map(|value| value.len() as u64).sum();
        let restored = Restored::new(files.len() as u64, bytes, 0);
        *self.lock() = files;
        Ok(restored)
    }
}
