//! Whether a store keeps the promise of `create`.

use alfred_ops_core::{ErrorKind, Id, JobContext, Result};
use bytes::Bytes;
use tracing::warn;

use super::BlobStore;

/// Where probes are written, below the store's root.
const FOLDER: &str = "probes";

/// Whether a store refuses to create a key twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateOnce {
    /// It does: several writers may share it.
    Enforced,
    /// It accepts the condition and ignores it, as some servers do that speak S3: only one writer may use it.
    Ignored,
}

/// Finds out by two creations of a new key whether `store` keeps the promise of [`BlobStore::create`].
///
/// The key is unique, lies below `probes/` and is removed afterwards; where that fails (or this future is
/// dropped) a few bytes stay behind, which no one reads. May be called any number of times and concurrently.
///
/// # Errors
/// The store's: then nothing is known.
pub async fn probe_conditional_writes(store: &dyn BlobStore, context: &JobContext) -> Result<CreateOnce> {
    let key = format!("{FOLDER}/{}", Id::new(context.now(), &*context.entropy));
    let outcome = create_twice(store, &key).await;
    if let Err(error) = store.delete(&key).await {
        warn!(key, error = error.full(), "a probe of the store could not be removed");
    }
    outcome
}

async fn create_twice(store: &dyn BlobStore, key: &str) -> Result<CreateOnce> {
    // A layer below may repeat a creation whose answer was lost: that it is refused is the answer sought.
    for content in ["first", "second"] {
        match store.create(key, Bytes::from_static(content.as_bytes())).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(CreateOnce::Enforced),
            Err(error) => return Err(error),
        }
    }
    Ok(CreateOnce::Ignored)
}
