//! One worker.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{ClockExt as _, Error, ErrorKind, Result, SharedClock};
use tokio::sync::watch;

use super::DrainLeases;
use super::book::WorkId;

/// One instance that works, on one thing or on many.
#[derive(Debug, Clone)]
pub struct DrainWorker {
    leases: DrainLeases,
    name: Arc<str>,
    /// What is under way, and whether it begins nothing more.
    under_way: Arc<watch::Sender<UnderWay>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct UnderWay {
    works: usize,
    closed: bool,
}

/// Work under way: the instance is not stopped before its end, or its deadline.
///
/// If it is dropped without [`end`](Self::end), its lease holds the instance until the deadline.
#[derive(Debug)]
#[must_use = "work that is dropped holds its instance until the deadline"]
pub struct Work {
    worker: DrainWorker,
    id: WorkId,
}

impl DrainWorker {
    pub(super) fn new(leases: DrainLeases, name: String) -> Self {
        Self { leases, name: name.into(), under_way: Arc::new(watch::Sender::new(UnderWay::default())) }
    }

    /// Begins work that takes no longer than `allowed`: until then, or its end, this instance is not stopped for a smaller
    /// number.
    ///
    /// After a dropped future or an error whose class is [`Retry::Unknown`](alfred_ops_core::Retry::Unknown) the instance may be
    /// held until then.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if this instance is to go, is [shutting down](Self::drain), or work is
    /// [paused](DrainLeases::pause): leave the work to others; the store's.
    pub async fn begin(&self, allowed: Duration) -> Result<Work> {
        if self.under_way.borrow().closed {
            return Err(Error::new(ErrorKind::Conflict, "begin work", "this instance is shutting down")
                .with_target(&*self.name)
                .with_remedy("leave the work to others"));
        }
        let id = self.leases.begin(&self.name, allowed).await?;
        self.under_way.send_modify(|under_way| under_way.works += 1);
        Ok(Work { worker: self.clone(), id })
    }

    /// Begins nothing more and waits until everything under way has ended, for `grace` at most: for the time between a
    /// platform's SIGTERM and its SIGKILL. How much is still under way then.
    pub async fn drain(&self, grace: Duration, clock: &SharedClock) -> usize {
        let mut watched = self.under_way.subscribe();
        self.under_way.send_modify(|under_way| under_way.closed = true);
        let done = async { drop(watched.wait_for(|under_way| under_way.works == 0).await) };
        // What is not done in time is told below.
        drop(clock.timeout(grace, "drain", done).await);
        self.under_way.borrow().works
    }
}

impl Work {
    /// Puts the deadline off to `allowed` from now. False if the lease is over: the instance may be stopped at any time.
    ///
    /// # Errors
    /// The store's; the deadline stands then.
    pub async fn extend(&self, allowed: Duration) -> Result<bool> {
        self.worker.leases.extend(&self.worker.name, self.id, allowed).await
    }

    /// Ends the work.
    ///
    /// # Errors
    /// The store's. The lease then ends at its deadline.
    pub async fn end(self) -> Result<()> {
        self.worker.leases.end(&self.worker.name, self.id).await
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.worker.under_way.send_modify(|under_way| under_way.works = under_way.works.saturating_sub(1));
    }
}
