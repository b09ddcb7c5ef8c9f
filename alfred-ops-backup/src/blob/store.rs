//! The interface of blob stores.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;
use bytes::Bytes;

use super::BlobInfo;

/// The longest key, in bytes: S3's limit, so that a repository can move between stores.
const KEY_BYTES_MAX: usize = 1024;

/// Somewhere named byte strings rest.
///
/// Keys are relative paths of ASCII letters, digits, `.`, `_`, `=` and `-`, separated by single `/`; no key
/// is a folder of another (`a` and `a/b` never both exist). All methods may be called concurrently and
/// repeated. A blob is visible either whole or not at all, and what was acknowledged survives a crash of
/// this process; how far it survives the machine is the store's own promise.
///
/// Errors: [`ErrorKind::NotFound`] for a missing key, [`ErrorKind::InvalidInput`] for a bad key,
/// [`ErrorKind::PermissionDenied`] for credentials, [`ErrorKind::Unavailable`] for an outage. After
/// [`ErrorKind::Timeout`] or a dropped future a write may or may not have happened.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait BlobStore: fmt::Debug + Send + Sync + 'static {
    /// The store's place as a URL without credentials, for messages.
    fn location(&self) -> &str;

    /// Writes a blob, replacing one of the same key. After `Ok` every later read sees it.
    async fn put(&self, key: &str, data: Bytes) -> Result<()>;

    /// Writes a blob unless the key is taken: [`ErrorKind::AlreadyExists`], and the old blob is untouched.
    /// Of several concurrent calls exactly one returns `Ok`.
    async fn create(&self, key: &str, data: Bytes) -> Result<()>;

    /// Reads a whole blob.
    async fn get(&self, key: &str) -> Result<Bytes>;

    /// Reads the bytes of `range`, which must lie within the blob ([`ErrorKind::InvalidInput`] otherwise).
    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes>;

    /// Lists up to `limit` blobs whose key begins with `prefix` and sorts after `after`, in byte order of
    /// the keys. Fewer than `limit` means that these were the last.
    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<BlobInfo>>;

    /// Removes a blob. A missing one is no error, so that a repeat does no harm.
    async fn delete(&self, key: &str) -> Result<()>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: BlobStore + ?Sized> BlobStore for Arc<S> {
    fn location(&self) -> &str {
        (**self).location()
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        (**self).put(key, data).await
    }

    async fn create(&self, key: &str, data: Bytes) -> Result<()> {
        (**self).create(key, data).await
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        (**self).get(key).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        (**self).get_range(key, range).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<BlobInfo>> {
        (**self).list(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        (**self).delete(key).await
    }
}

/// Refuses keys that not every store can hold.
pub(crate) fn check_key(key: &str) -> Result<()> {
    let part_ok = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._=-".contains(&byte))
    };
    if key.len() <= KEY_BYTES_MAX && key.split('/').all(part_ok) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, "check blob key", format!("{key:?} is not a portable key"))
        .with_remedy(
            "use letters, digits, '.', '_', '=' and '-' between single slashes, at most 1,024 bytes",
        ))
}

/// The error for a range that does not lie within a blob of `bytes` bytes.
pub(crate) fn bad_range(location: &str, key: &str, range: &Range<u64>, bytes: u64) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "read blob",
        format!("bytes {}..{} are not within its {bytes} bytes", range.start, range.end),
    )
    .with_target(format!("{location}/{key}"))
}

/// The error for a missing key.
pub(crate) fn not_found(location: &str, key: &str) -> Error {
    Error::new(ErrorKind::NotFound, "read blob", "there is no such blob")
        .with_target(format!("{location}/{key}"))
}

/// The error for a key that is taken.
pub(crate) fn taken(location: &str, key: &str) -> Error {
    Error::new(ErrorKind::AlreadyExists, "create blob", "the key is taken")
        .with_target(format!("{location}/{key}"))
}
