//! The contract of a store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Document, Expected, Write};
use crate::{Fence, Result};

/// The most documents that one [`StateStore::list`] returns, whatever was asked: a page stays small.
pub const LIST_LIMIT_MAX: usize = 1_000;

/// Where coordination state lives: small JSON documents that change by compare-and-set.
///
/// All methods may be called from several tasks and processes at once. Each write is atomic and, once it
/// returned `Ok`, durable as far as the store is and seen by every later read.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait StateStore: fmt::Debug + Send + Sync + 'static {
    /// The document at `key`, if there is one. Dropping the future has no effect.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a bad key,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) or [`Timeout`](crate::ErrorKind::Timeout) if the
    /// store does not answer.
    async fn get(&self, key: &str) -> Result<Option<Document>>;

    /// Writes one document and returns its new version.
    ///
    /// After a dropped future, a timeout or an error of [`Retry::Unknown`](crate::Retry::Unknown) the write
    /// may have happened or may still happen; repeating it as it is does no harm, since its expectation
    /// then fails.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) if the expectation does not hold,
    /// [`Fenced`](crate::ErrorKind::Fenced) if the fence's lease has a newer epoch or is not kept in this
    /// store (judged in the same transaction as the write), else as [`get`](Self::get).
    async fn put(&self, write: &Write) -> Result<u64>;

    /// Removes one document. Deleting what must be absent is a conflict, or done if it is absent.
    /// After a dropped future or an unknown outcome, as [`put`](Self::put).
    ///
    /// # Errors
    /// As [`put`](Self::put).
    async fn delete(&self, key: &str, expected: Expected, fence: Option<Fence>) -> Result<()>;

    /// At most `limit` documents whose keys start with `prefix` and sort after `after` (by bytes), in that
    /// order. The empty `after` starts at the beginning; the last key returned continues.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Document>>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StateStore + ?Sized> StateStore for Arc<S> {
    async fn get(&self, key: &str) -> Result<Option<Document>> {
        (**self).get(key).await
    }

    async fn put(&self, write: &Write) -> Result<u64> {
        (**self).put(write).await
    }

    async fn delete(&self, key: &str, expected: Expected, fence: Option<Fence>) -> Result<()> {
        (**self).delete(key, expected, fence).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Document>> {
        (**self).list(prefix, after, limit).await
    }
}
