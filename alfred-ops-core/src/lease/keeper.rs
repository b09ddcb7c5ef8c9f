//! Renewal in the background.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Grant, LeaseStore};
use crate::{ClockExt as _, ErrorKind, Fence, Result, SharedClock, TaskHandle, TaskSet};

/// Renewals per term: two may fail before trust is at stake.
const RENEWALS_PER_TTL: u32 = 3;
/// After a failure the next attempt comes sooner, but does not hammer a store in trouble.
const ATTEMPTS_PER_TTL: u32 = 12;

/// Renews a lease until it is released or lost.
///
/// Dropping the keeper ends the renewal without waiting; the lease then expires by itself.
#[derive(Debug)]
pub struct LeaseKeeper {
    lost: CancellationToken,
    grant: watch::Receiver<Grant>,
    leases: Arc<dyn LeaseStore>,
    clock: SharedClock,
    tasks: TaskSet,
    task: TaskHandle<()>,
}

impl LeaseKeeper {
    /// Starts to renew `grant`, whose trust is measured on `clock`.
    #[must_use]
    pub fn start(leases: Arc<dyn LeaseStore>, grant: Grant, clock: SharedClock) -> Self {
        let lost = CancellationToken::new();
        let tasks = TaskSet::new(&CancellationToken::new());
        let (sender, receiver) = watch::channel(grant);
        let renewal = Renewal {
            leases: Arc::clone(&leases),
            clock: Arc::clone(&clock),
            grant: sender,
            stop: tasks.cancel_token().clone(),
            lost: lost.clone(),
        };
        let task = tasks.spawn(renewal.run());
        Self { lost, grant: receiver, leases, clock, tasks, task }
    }

    /// Cancelled once the lease can no longer be trusted. It is not cancelled by a release.
    #[must_use]
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// The newest grant.
    #[must_use]
    pub fn grant(&self) -> Grant {
        self.grant.borrow().clone()
    }

    /// The proof for writes under this lease.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.grant.borrow().fence()
    }

    /// Whether the lease is held as far as this process can know. It may be asked before each effect on a
    /// system that knows no fence; a process that was paused finds out here first.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        let left = self.grant.borrow().trust_left(self.clock.monotonic());
        !self.lost.is_cancelled() && !left.is_zero()
    }

    /// Ends the renewal and frees the lease for others, waiting at most as long as the lease is trusted.
    ///
    /// # Errors
    /// The store's; the lease then expires by itself.
    pub async fn release(self) -> Result<()> {
        let Self { leases, clock, tasks, task, grant, .. } = self;
        tasks.shutdown().await;
        task.await?;
        let grant = grant.borrow().clone();
        let left = grant.trust_left(clock.monotonic()).max(Duration::from_millis(1));
        clock.timeout(left, "release lease", leases.release(&grant)).await?
    }
}

/// The background half of a [`LeaseKeeper`].
struct Renewal {
    leases: Arc<dyn LeaseStore>,
    clock: SharedClock,
    grant: watch::Sender<Grant>,
    stop: CancellationToken,
    lost: CancellationToken,
}

impl Renewal {
    async fn run(self) {
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.renew_until_lost() => self.lost.cancel(),
        }
    }

    async fn renew_until_lost(&self) {
        let mut grant = self.grant.borrow().clone();
        let mut pause = grant.ttl / RENEWALS_PER_TTL;
        loop {
            let left = grant.trust_left(self.clock.monotonic());
            if left.is_zero() {
                warn!(lease = grant.name, epoch = grant.epoch, "the lease ran out before it was renewed");
                return;
            }
            self.clock.sleep(pause.min(left)).await;
            let left = grant.trust_left(self.clock.monotonic());
            if left.is_zero() {
                continue;
            }
            match self.clock.timeout(left, "renew lease", self.leases.renew(&grant)).await {
                Ok(Ok(renewed)) => {
                    pause = renewed.ttl / RENEWALS_PER_TTL;
                    grant = renewed;
                    self.grant.send_replace(grant.clone());
                }
                Ok(Err(error)) if error.kind() == ErrorKind::Fenced => {
                    warn!(lease = grant.name, epoch = grant.epoch, error = %error.full(), "the lease is lost");
                    return;
                }
                Ok(Err(error)) | Err(error) => {
                    warn!(lease = grant.name, error = %error.full(), "the lease was not renewed");
                    pause = grant.ttl / ATTEMPTS_PER_TTL;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::{Error, MemoryStateStore, SimulatedClock, StateLeases};

    const TTL: Duration = Duration::from_secs(12);

    async fn advance(clock: &SimulatedClock, seconds: u64) {
        for _ in 0..seconds * 2 {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            clock.advance(Duration::from_millis(500));
        }
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_kept_lease_outlives_its_term_and_a_released_one_is_free() {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let store = MemoryStateStore::new(clock.shared());
        let leases: Arc<dyn LeaseStore> = Arc::new(StateLeases::new(store, clock.shared()));
        let grant = leases.acquire("ops", "a", TTL).await.unwrap().unwrap();
        let keeper = LeaseKeeper::start(Arc::clone(&leases), grant, clock.shared());
        advance(&clock, 60).await;
        assert!(keeper.is_trusted());
        assert_eq!(leases.acquire("ops", "b", TTL).await.unwrap(), None);
        keeper.release().await.unwrap();
        assert!(leases.acquire("ops", "b", TTL).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn trust_ends_in_time_when_the_store_fails_or_another_took_over() {
        for (kind, lost_after_seconds) in [(ErrorKind::Unavailable, 9), (ErrorKind::Fenced, 4)] {
            let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
            let mut leases = crate::lease::MockLeaseStore::new();
            leases.expect_renew().returning(move |_| Err(Error::new(kind, "renew lease", "on purpose")));
            let grant = Grant::new("ops", "a", 1, TTL, Duration::ZERO);
            let keeper = LeaseKeeper::start(Arc::new(leases), grant, clock.shared());
            advance(&clock, lost_after_seconds - 1).await;
            assert!(!keeper.lost().is_cancelled(), "{kind}: still trusted");
            advance(&clock, 1).await;
            assert!(keeper.lost().is_cancelled(), "{kind}: lost after {lost_after_seconds} s");
            assert!(!keeper.is_trusted());
        }
    }

    #[tokio::test]
    async fn a_store_that_hangs_does_not_prolong_trust() {
        #[derive(Debug)]
        struct Hanging;
        #[async_trait::async_trait]
        impl LeaseStore for Hanging {
            async fn acquire(&self, _: &str, _: &str, _: Duration) -> Result<Option<Grant>> {
                std::future::pending().await
            }
            async fn renew(&self, _: &Grant) -> Result<Grant> {
                std::future::pending().await
            }
            async fn release(&self, _: &Grant) -> Result<()> {
                std::future::pending().await
            }
        }
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let grant = Grant::new("ops", "a", 1, TTL, Duration::ZERO);
        let keeper = LeaseKeeper::start(Arc::new(Hanging), grant, clock.shared());
        advance(&clock, 9).await;
        assert!(keeper.lost().is_cancelled());
    }
}
