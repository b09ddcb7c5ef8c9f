//! Time, injected. The one file that reads the machine's clock.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::oneshot;

use crate::{Error, ErrorKind, Result};

/// Where time comes from.
///
/// Pure code takes `now` as an argument; what acts holds a `SharedClock`. All methods may be called
/// from several tasks at once.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock. It may jump; never subtract two readings to measure a duration.
    fn now(&self) -> DateTime<Utc>;

    /// Time since an arbitrary fixed origin. It never goes back.
    fn monotonic(&self) -> Duration;

    /// Returns once `duration` has passed. Dropping the future ends the wait and has no other effect.
    async fn sleep(&self, duration: Duration);
}

/// A clock as components hold it.
pub type SharedClock = Arc<dyn Clock>;

/// What callers of a [`Clock`] want beside its three methods.
pub trait ClockExt: Clock {
    /// Runs `future` for at most `limit`; the error is [`ErrorKind::Timeout`] (outcome unknown).
    fn timeout<F>(
        &self,
        limit: Duration,
        operation: &'static str,
        future: F,
    ) -> impl Future<Output = Result<F::Output>> + Send
    where
        F: Future + Send,
        F::Output: Send,
    {
        async move {
            tokio::select! {
                biased;
                output = future => Ok(output),
                () = self.sleep(limit) => Err(Error::new(
                    ErrorKind::Timeout,
                    operation,
                    format!("no answer within {limit:?}"),
                )),
            }
        }
    }
}

impl<C: Clock + ?Sized> ClockExt for C {}

/// The machine's clock.
#[derive(Debug, Clone)]
pub struct SystemClock {
    origin: std::time::Instant,
}

impl SystemClock {
    /// A clock whose monotonic origin is now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    /// The machine's clock as components hold it.
    #[must_use]
    pub fn shared() -> SharedClock {
        Arc::new(Self::new())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A clock that stands still until it is [advanced](SimulatedClock::advance).
///
/// Clones share one time.
#[derive(Debug, Clone)]
pub struct SimulatedClock {
    state: Arc<Mutex<Simulated>>,
}

#[derive(Debug)]
struct Simulated {
    start: DateTime<Utc>,
    elapsed: Duration,
    /// Sleepers by wake-up time, then by arrival.
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    arrivals: u64,
}

impl SimulatedClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        Self {
            state: Arc::new(Mutex::new(Simulated {
                start,
                elapsed: Duration::ZERO,
                sleepers: BTreeMap::new(),
                arrivals: 0,
            })),
        }
    }

    /// This clock as components hold it.
    #[must_use]
    pub fn shared(&self) -> SharedClock {
        Arc::new(self.clone())
    }

    /// Moves time on and wakes every sleeper whose time has come, earliest first.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.elapsed += by;
        let later = state.elapsed;
        while let Some(entry) = state.sleepers.first_entry() {
            if entry.key().0 > later {
                break;
            }
            // A sleeper that was dropped meanwhile no longer listens.
            let _ = entry.remove().send(());
        }
    }

    /// How many sleepers wait: a test that must not race waits until its subject sleeps.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        let mut state = self.lock();
        state.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        state.sleepers.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Simulated> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for SimulatedClock {
    fn now(&self) -> DateTime<Utc> {
        let state = self.lock();
        let elapsed = TimeDelta::from_std(state.elapsed).unwrap_or(TimeDelta::MAX);
        state.start.checked_add_signed(elapsed).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn monotonic(&self) -> Duration {
        self.lock().elapsed
    }

    async fn sleep(&self, duration: Duration) {
        let woken = {
            let mut state = self.lock();
            if duration.is_zero() {
                return;
            }
            let (wake, woken) = oneshot::channel();
            state.arrivals += 1;
            let key = (state.elapsed.saturating_add(duration), state.arrivals);
            state.sleepers.insert(key, wake);
            woken
        };
        // The sender lives in the clock that `self` keeps alive.
        let _ = woken.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn simulated_time_moves_only_when_told_and_wakes_in_order() {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let order = Mutex::new(Vec::new());
        let nap = |seconds: u64| {
            let (clock, order) = (clock.clone(), &order);
            async move {
                clock.sleep(Duration::from_secs(seconds)).await;
                order.lock().unwrap().push(seconds);
            }
        };
        let drive = async {
            while clock.sleepers() < 2 {
                tokio::task::yield_now().await;
            }
            assert!(order.lock().unwrap().is_empty());
            clock.advance(Duration::from_secs(5));
        };
        tokio::join!(nap(3), nap(2), drive);
        assert_eq!(clock.now(), DateTime::UNIX_EPOCH + TimeDelta::seconds(5));
        assert_eq!(order.into_inner().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_timeout_leaves_the_outcome_unknown() {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let wait = clock.timeout(Duration::from_secs(1), "wait", std::future::pending::<()>());
        let drive = async {
            while clock.sleepers() == 0 {
                tokio::task::yield_now().await;
            }
            clock.advance(Duration::from_secs(1));
        };
        let (outcome, ()) = tokio::join!(wait, drive);
        assert_eq!(outcome.unwrap_err().retry(), crate::Retry::Unknown);
    }
}
