//! A blob store in memory.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use alfred_ops_core::Result;
use async_trait::async_trait;
use bytes::Bytes;

use super::store::{bad_range, not_found, taken};
use super::{BlobInfo, BlobStore, check_key};

const LOCATION: &str = "memory:";

/// A blob store that lives as long as its process: for tests and examples.
#[derive(Debug, Default)]
pub struct MemoryBlobStore {
    blobs: Mutex<BTreeMap<String, Bytes>>,
}

impl MemoryBlobStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl BlobStore for MemoryBlobStore {
    fn location(&self) -> &str {
        LOCATION
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        check_key(key)?;
        self.lock().insert(key.to_owned(), data);
        Ok(())
    }

    async fn create(&self, key: &str, data: Bytes) -> Result<()> {
        check_key(key)?;
        let mut blobs = self.lock();
        if blobs.contains_key(key) {
            return Err(taken(LOCATION, key));
        }
        blobs.insert(key.to_owned(), data);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        check_key(key)?;
        self.lock().get(key).cloned().ok_or_else(|| not_found(LOCATION, key))
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let data = self.get(key).await?;
        let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        match bounds {
            Some((start, end)) if start <= end && end <= data.len() => Ok(data.slice(start..end)),
            _ => Err(bad_range(LOCATION, key, &range, data.len() as u64)),
        }
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<BlobInfo>> {
        let blobs = self.lock();
        let start = if after < prefix { Bound::Included(prefix) } else { Bound::Excluded(after) };
        Ok(blobs
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit)
            .map(|(key, data)| BlobInfo { key: key.clone(), bytes: data.len() as u64 })
            .collect())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        self.lock().remove(key);
        Ok(())
    }
}
