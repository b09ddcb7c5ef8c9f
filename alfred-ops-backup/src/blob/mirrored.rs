//! Two blob stores as one.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use alfred_ops_core::{Error, ErrorKind, Result, Retry};
use async_trait::async_trait;
use bytes::Bytes;
use tracing::warn;

use super::{BlobInfo, BlobStore, check_key};

/// How many blobs one round of [`MirroredBlobStore::copy_missing`] lists.
const PAGE: usize = 1000;

/// Two blob stores as one: every write is in both before it is acknowledged, and each read that the primary
/// fails is answered by the second.
///
/// - `put` writes to both at once. After an error either may hold the blob; the same `put` completes it.
/// - `create` is decided by the primary alone; the second then gets the winner's bytes. After an error the
///   primary may hold the blob and the second not. The same `create` then completes the second and says
///   [`ErrorKind::AlreadyExists`]; below [`RetryingBlobStore`](super::RetryingBlobStore) that counts as the success it is.
/// - `delete` goes to the second first. After an error the primary holds the blob still, so that nothing
///   that was deleted comes back.
/// - Reads ask the primary. Whatever it answers but the blob (missing, too short, unreachable, refused), the
///   second is asked, and the fallback is logged and [counted](Self::fallbacks). If both fail, the answer is
///   "not found" only if both say so. Bytes that are wrong without the store's knowing are found by their
///   reader, who turns to [`second`](Self::second):
///   [`Repository::repair`](crate::Repository::repair).
/// - A listing is the primary's, or the second's while the primary cannot be listed; never a mixture.
///
/// Errors name the side that failed. While either side is down nothing can be written: a mirror is for
/// keeping, not for availability. A side that lost blobs is filled again by [`copy_missing`](Self::copy_missing).
/// Both sides should be used through this type only.
#[derive(Debug)]
pub struct MirroredBlobStore<P, S> {
    primary: P,
    second: S,
    location: String,
    fallbacks: AtomicU64,
}

/// What [`MirroredBlobStore::copy_missing`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MirrorRepair {
    /// Blobs of the primary that were looked at.
    pub looked_at: u64,
    /// Blobs that the second lacked, or held with another length, and now holds.
    pub copied: u64,
    /// Their bytes.
    pub copied_bytes: u64,
}

impl<P: BlobStore, S: BlobStore> MirroredBlobStore<P, S> {
    /// Mirrors `primary` to `second`.
    #[must_use]
    pub fn new(primary: P, second: S) -> Self {
        let location = format!("{} (mirrored to {})", primary.location(), second.location());
        Self { primary, second, location, fallbacks: AtomicU64::new(0) }
    }

    /// The side that decides.
    #[must_use]
    pub fn primary(&self) -> &P {
        &self.primary
    }

    /// The other side.
    #[must_use]
    pub fn second(&self) -> &S {
        &self.second
    }

    /// How many reads and listings the second has answered in the primary's place.
    #[must_use]
    pub fn fallbacks(&self) -> u64 {
        self.fallbacks.load(Ordering::Relaxed)
    }

    /// Copies to the second what it lacks of the primary's blobs below `prefix`, judged by their lengths.
    /// May be repeated and run beside writers. After an error, what was copied stays.
    ///
    /// # Errors
    /// Of whichever side failed first, which it names.
    pub async fn copy_missing(&self, prefix: &str) -> Result<MirrorRepair> {
        let mut repair = MirrorRepair::default();
        let mut after = String::new();
        loop {
            let page =
                self.primary.list(prefix, &after, PAGE).await.map_err(|error| self.of_primary(error))?;
            let Some(last) = page.last() else { return Ok(repair) };
            let held = self.held_by_second(prefix, &after, &last.key).await?;
            after.clone_from(&last.key);
            for blob in page {
                repair.looked_at += 1;
                if held.binary_search_by(|other| other.key.cmp(&blob.key)).is_ok_and(|at| held[at] == blob) {
                    continue;
                }
                let data = match self.primary.get(&blob.key).await {
                    // Deleted meanwhile.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    data => data.map_err(|error| self.of_primary(error))?,
                };
                repair.copied += 1;
                repair.copied_bytes += data.len() as u64;
                self.second.put(&blob.key, data).await.map_err(|error| self.of_second(error))?;
            }
        }
    }

    /// The second's blobs whose keys lie after `after` and not after `last`.
    async fn held_by_second(&self, prefix: &str, after: &str, last: &str) -> Result<Vec<BlobInfo>> {
        let mut held: Vec<BlobInfo> = Vec::new();
        loop {
            let from = held.last().map_or(after, |blob| &blob.key);
            let page = self.second.list(prefix, from, PAGE).await.map_err(|error| self.of_second(error))?;
            let done = page.len() < PAGE || page.last().is_some_and(|blob| blob.key.as_str() >= last);
            held.extend(page);
            if done {
                return Ok(held);
            }
        }
    }

    fn of_primary(&self, error: Error) -> Error {
        of_side("primary", self.primary.location(), error)
    }

    fn of_second(&self, error: Error) -> Error {
        of_side("second", self.second.location(), error)
    }

    /// Answers from the second what the primary answered with `error`.
    async fn fall_back<T>(
        &self,
        key: &str,
        error: Error,
        answer: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match answer.await {
            Ok(answer) => {
                self.fallbacks.fetch_add(1, Ordering::Relaxed);
                warn!(key, error = error.full(), "the mirror's second store answered in the primary's place");
                Ok(answer)
            }
            // A blob is missing only if both say so.
            Err(second) if error.kind() == ErrorKind::NotFound && second.kind() != ErrorKind::NotFound => {
                Err(self.of_second(second))
            }
            Err(_) => Err(self.of_primary(error)),
        }
    }

    async fn write_second(&self, key: &str, data: Bytes) -> Result<()> {
        self.second.put(key, data).await.map_err(|error| repeatable(self.of_second(error)))
    }
}

/// The same error, naming its side.
fn of_side(side: &str, location: &str, error: Error) -> Error {
    let target = error.target().unwrap_or(location).to_owned();
    let fresh =
        Error::new(error.kind(), error.operation().to_owned(), format!("the mirror's {side} store failed"))
            .with_target(target)
            .with_retry(error.retry());
    match error.remedy() {
        Some(remedy) => fresh.with_remedy(remedy.to_owned()),
        None => fresh,
    }
    .with_source(error)
}

/// A mirrored write may always be repeated, and only a repeat makes sure of the second.
fn repeatable(error: Error) -> Error {
    match error.retry() {
        Retry::Unknown => error.with_retry(Retry::After(None)),
        _ => error,
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: BlobStore, S: BlobStore> BlobStore for MirroredBlobStore<P, S> {
    fn location(&self) -> &str {
        &self.location
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        check_key(key)?;
        let primary = async {
            let written = self.primary.put(key, data.clone()).await;
            written.map_err(|error| repeatable(self.of_primary(error)))
        };
        let (primary, second) = tokio::join!(primary, self.write_second(key, data.clone()));
        primary.and(second)
    }

    async fn create(&self, key: &str, data: Bytes) -> Result<()> {
        check_key(key)?;
        match self.primary.create(key, data.clone()).await {
            Ok(()) => self.write_second(key, data).await,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // Perhaps an earlier attempt of this very write ended between the two sides.
                if self.primary.get(key).await.is_ok_and(|found| found == data) {
                    self.write_second(key, data).await?;
                }
                Err(error)
            }
            Err(error) => Err(repeatable(self.of_primary(error))),
        }
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        check_key(key)?;
        match self.primary.get(key).await {
            Ok(data) => Ok(data),
            Err(error) => self.fall_back(key, error, self.second.get(key)).await,
        }
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        check_key(key)?;
        match self.primary.get_range(key, range.clone()).await {
            Ok(data) => Ok(data),
            Err(error) => self.fall_back(key, error, self.second.get_range(key, range)).await,
        }
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<BlobInfo>> {
        match self.primary.list(prefix, after, limit).await {
            Ok(found) => Ok(found),
            Err(error) => self.fall_back(prefix, error, self.second.list(prefix, after, limit)).await,
        }
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        self.second.delete(key).await.map_err(|error| repeatable(self.of_second(error)))?;
        self.primary.delete(key).await.map_err(|error| repeatable(self.of_primary(error)))
    }
}
