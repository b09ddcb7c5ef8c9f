//! A blob store that leaves room for others.

use std::num::{NonZeroU32, NonZeroU64};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result, SharedClock};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{BlobInfo, BlobStore};

/// What a [`ThrottledBlobStore`] allows. The default allows 64 requests at a time and any number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Throttle {
    /// Bytes written per second, all writers together; `None` for no limit.
    pub write_bytes_per_second: Option<NonZeroU64>,
    /// Bytes read per second, all readers together; `None` for no limit.
    pub read_bytes_per_second: Option<NonZeroU64>,
    /// Requests of any kind at the same time.
    pub requests_max: NonZeroU32,
}

/// As many connections as most servers serve one client without complaint.
const REQUESTS_MAX: NonZeroU32 = NonZeroU32::new(64).unwrap();

impl Default for Throttle {
    fn default() -> Self {
        Self { write_bytes_per_second: None, read_bytes_per_second: None, requests_max: REQUESTS_MAX }
    }
}

impl Throttle {
    /// A bound on the bytes written per second.
    #[must_use]
    pub fn with_write_bytes_per_second(mut self, bytes: NonZeroU64) -> Self {
        self.write_bytes_per_second = Some(bytes);
        self
    }

    /// A bound on the bytes read per second.
    #[must_use]
    pub fn with_read_bytes_per_second(mut self, bytes: NonZeroU64) -> Self {
        self.read_bytes_per_second = Some(bytes);
        self
    }

    /// A bound on the requests at the same time.
    #[must_use]
    pub fn with_requests_max(mut self, requests_max: NonZeroU32) -> Self {
        self.requests_max = requests_max;
        self
    }
}

/// A blob store held to a number of bytes per second in each direction and of requests at a time.
///
/// Each write waits until those before it have used up their time; the rate holds on average and one blob may
/// go faster. Reads are charged once their length is known, and later readers wait for them. A dropped write
/// keeps the time it had reserved.
#[derive(Debug)]
pub struct ThrottledBlobStore<S> {
    store: S,
    clock: SharedClock,
    writes: Line,
    reads: Line,
    requests: Semaphore,
}

impl<S: BlobStore> ThrottledBlobStore<S> {
    /// Holds `store` to `throttle`, by the monotonic side of `clock`.
    #[must_use]
    pub fn new(store: S, throttle: Throttle, clock: SharedClock) -> Self {
        let requests = usize::try_from(throttle.requests_max.get()).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            store,
            clock,
            writes: Line::new(throttle.write_bytes_per_second),
            reads: Line::new(throttle.read_bytes_per_second),
            requests: Semaphore::new(requests.min(Semaphore::MAX_PERMITS)),
        }
    }

    /// A place among the requests; the bytes are waited for first, so that waiting occupies no place.
    async fn enter(&self, line: &Line, bytes: usize) -> Result<SemaphorePermit<'_>> {
        let wait = line.reserve(bytes as u64, self.clock.monotonic());
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
        self.turn().await
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        self.requests.acquire().await.map_err(|source| {
            Error::new(ErrorKind::Internal, "wait for a turn", "the throttle is gone").with_source(source)
        })
    }
}

/// One direction: the moment at which what was reserved so far is through.
#[derive(Debug)]
struct Line {
    bytes_per_second: Option<NonZeroU64>,
    free_at: Mutex<Duration>,
}

impl Line {
    fn new(bytes_per_second: Option<NonZeroU64>) -> Self {
        Self { bytes_per_second, free_at: Mutex::new(Duration::ZERO) }
    }

    /// Takes the next place for `bytes` and returns how long to wait for it.
    fn reserve(&self, bytes: u64, now: Duration) -> Duration {
        let Some(rate) = self.bytes_per_second else { return Duration::ZERO };
        let micros = u128::from(bytes) * 1_000_000 / u128::from(rate.get());
        let time = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let start = (*free_at).max(now);
        *free_at = start.saturating_add(time);
        start.saturating_sub(now)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: BlobStore> BlobStore for ThrottledBlobStore<S> {
    fn location(&self) -> &str {
        self.store.location()
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        let _turn = self.enter(&self.writes, data.len()).await?;
        self.store.put(key, data).await
    }

    async fn create(&self, key: &str, data: Bytes) -> Result<()> {
        let _turn = self.enter(&self.writes, data.len()).await?;
        self.store.create(key, data).await
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        let _turn = self.enter(&self.reads, 0).await?;
        let data = self.store.get(key).await?;
        self.reads.reserve(data.len() as u64, self.clock.monotonic());
        Ok(data)
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let _turn = self.enter(&self.reads, 0).await?;
        let data = self.store.get_range(key, range).await?;
        self.reads.reserve(data.len() as u64, self.clock.monotonic());
        Ok(data)
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<BlobInfo>> {
        let _turn = self.turn().await?;
        self.store.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let _turn = self.turn().await?;
        self.store.delete(key).await
    }
}
