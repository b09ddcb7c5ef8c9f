//! A part of a blob store.

use std::ops::Range;

use alfred_ops_core::Result;
use async_trait::async_trait;
use bytes::Bytes;

use super::{BlobInfo, BlobStore, check_key};

/// The part of a blob store whose keys begin with `prefix/`, seen as a store of its own.
///
/// Errors from below name the full key.
#[derive(Debug)]
pub struct PrefixedBlobStore<S> {
    store: S,
    /// With its slash.
    prefix: String,
    location: String,
}

impl<S: BlobStore> PrefixedBlobStore<S> {
    /// The part of `store` below `prefix`, whose outer slashes do not matter.
    ///
    /// # Errors
    /// [`InvalidInput`](alfred_ops_core::ErrorKind::InvalidInput) if the prefix is no key.
    pub fn new(store: S, prefix: &str) -> Result<Self> {
        let prefix = prefix.trim_matches('/');
        check_key(prefix)?;
        let location = format!("{}/{prefix}", store.location());
        Ok(Self { store, prefix: format!("{prefix}/"), location })
    }

    /// The key below, for a key that is one by itself.
    fn key(&self, key: &str) -> Result<String> {
        check_key(key)?;
        Ok(self.text(key))
    }

    fn text(&self, text: &str) -> String {
        format!("{}{text}", self.prefix)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: BlobStore> BlobStore for PrefixedBlobStore<S> {
    fn location(&self) -> &str {
        &self.location
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        self.store.put(&self.key(key)?, data).await
    }

    async fn create(&self, key: &str, data: Bytes) -> Result<()> {
        self.store.create(&self.key(key)?, data).await
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        self.store.get(&self.key(key)?).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.store.get_range(&self.key(key)?, range).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<BlobInfo>> {
        let after = if after.is_empty() { String::new() } else { self.text(after) };
        let mut found = self.store.list(&self.text(prefix), &after, limit).await?;
        for blob in &mut found {
            blob.key.replace_range(..self.prefix.len().min(blob.key.len()), "");
        }
        Ok(found)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.store.delete(&self.key(key)?).await
    }
}
