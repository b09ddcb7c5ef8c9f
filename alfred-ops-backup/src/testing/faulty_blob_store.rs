//! A blob store that fails on purpose.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_ops_core::{
    EntropyExt as _, Error, ErrorKind, Result, Retry, SeededEntropy, SharedClock, SystemClock,
};
use async_trait::async_trait;
use bytes::Bytes;

use super::{BlobMethod, Fault, flip};
use crate::{BlobInfo, BlobStore};

/// A blob store that fails as its test says: by a script for each method, first in first out, then by chance
/// from a seed, and slowly if told so. Without any of these it is the store it wraps.
#[derive(Debug)]
pub struct FaultyBlobStore<S> {
    store: S,
    clock: SharedClock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    scripts: BTreeMap<BlobMethod, VecDeque<Fault>>,
    calls: BTreeMap<BlobMethod, u64>,
    chance: Option<Chance>,
    delay: Duration,
    injected: u64,
}

#[derive(Debug)]
struct Chance {
    entropy: SeededEntropy,
    percent: u8,
}

impl<S: BlobStore> FaultyBlobStore<S> {
    /// A store without faults so far, on the machine's clock.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self { store, clock: SystemClock::shared(), state: Mutex::default() }
    }

    /// Takes delays from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }

    /// Makes every request take this much longer: a store at the end of a long line.
    #[must_use]
    pub fn with_delay(self, delay: Duration) -> Self {
        self.lock().delay = delay;
        self
    }

    /// Hits so many of a hundred requests with a fault drawn from `seed`: an outage, a lost answer, or for
    /// reads of ranges also a cut or an inverted bit. With one caller a seed replays.
    #[must_use]
    pub fn with_chance(self, seed: u64, percent: u8) -> Self {
        self.lock().chance = Some(Chance { entropy: SeededEntropy::new(seed), percent });
        self
    }

    /// Appends to the script of `method`.
    pub fn script(&self, method: BlobMethod, faults: impl IntoIterator<Item = Fault>) {
        self.lock().scripts.entry(method).or_default().extend(faults);
    }

    /// Ends all faults: what follows shows whether what was stored heals. Requests held stay so.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.scripts.clear();
        state.chance = None;
        state.delay = Duration::ZERO;
    }

    /// How many requests of `method` have arrived.
    #[must_use]
    pub fn calls(&self, method: BlobMethod) -> u64 {
        self.lock().calls.get(&method).copied().unwrap_or(0)
    }

    /// How many requests were hit by a fault, [`Fault::Pass`] and the fixed delay not counted.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.lock().injected
    }

    /// The store without the faults.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.store
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the request, lets the time pass that it takes and tells what else happens to it.
    async fn arrive(&self, method: BlobMethod, key: &str) -> Result<Fault> {
        let (fault, delay) = {
            let mut state = self.lock();
            *state.calls.entry(method).or_default() += 1;
            let fault = state.next(method);
            if !matches!(fault, Fault::Pass) {
                state.injected += 1;
            }
            (fault, state.delay)
        };
        if !delay.is_zero() {
            self.clock.sleep(delay).await;
        }
        match fault {
            Fault::Reject(kind) => Err(failure(kind, method, key)),
            Fault::HoldUntil(released) => {
                released.cancelled().await;
                Ok(Fault::Pass)
            }
            Fault::Delay(delay) => {
                self.clock.sleep(delay).await;
                Ok(Fault::Pass)
            }
            fault => Ok(fault),
        }
    }

    async fn hit<T>(
        &self,
        method: BlobMethod,
        key: &str,
        request: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let fault = self.arrive(method, key).await?;
        let answer = request.await?;
        match fault {
            Fault::FailAfter(kind) => Err(failure(kind, method, key).with_retry(Retry::Unknown)),
            _ => Ok(answer),
        }
    }

    async fn read(
        &self,
        method: BlobMethod,
        key: &str,
        request: impl Future<Output = Result<Bytes>>,
    ) -> Result<Bytes> {
        let fault = self.arrive(method, key).await?;
        let data = request.await?;
        match fault {
            Fault::FailAfter(kind) => Err(failure(kind, method, key).with_retry(Retry::Unknown)),
            Fault::Truncate(bytes) => Ok(data.slice(..bytes.min(data.len()))),
            Fault::FlipBit(bit) => Ok(flip(&data, bit)),
            _ => Ok(data),
        }
    }
}

impl State {
    fn next(&mut self, method: BlobMethod) -> Fault {
        if let Some(fault) = self.scripts.get_mut(&method).and_then(VecDeque::pop_front) {
            return fault;
        }
        let Some(Chance { entropy, percent }) = &self.chance else { return Fault::Pass };
        if entropy.below(100) >= u64::from(*percent) {
            return Fault::Pass;
        }
        let ranged = method == BlobMethod::GetRange;
        match entropy.below(if ranged { 6 } else { 4 }) {
            0 | 1 => Fault::Reject(ErrorKind::Unavailable),
            2 => Fault::FailAfter(ErrorKind::Unavailable),
            3 => Fault::FailAfter(ErrorKind::Timeout),
            4 => Fault::Truncate(usize::try_from(entropy.below(64)).unwrap_or(0)),
            _ => Fault::FlipBit(entropy.next_u64()),
        }
    }
}

fn failure(kind: ErrorKind, method: BlobMethod, key: &str) -> Error {
    Error::new(kind, "call blob store", format!("{method:?} fails on purpose")).with_target(key)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: BlobStore> BlobStore for FaultyBlobStore<S> {
    fn location(&self) -> &str {
        self.store.location()
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        self.hit(BlobMethod::Put, key, self.store.put(key, data)).await
    }

    async fn create(&self, key: &str, data: Bytes) -> Result<()> {
        self.hit(BlobMethod::Create, key, self.store.create(key, data)).await
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        self.read(BlobMethod::Get, key, self.store.get(key)).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.read(BlobMethod::GetRange, key, self.store.get_range(key, range)).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<BlobInfo>> {
        self.hit(BlobMethod::List, prefix, self.store.list(prefix, after, limit)).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.hit(BlobMethod::Delete, key, self.store.delete(key)).await
    }
}
