//! Standing by, leading, draining.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::ledger::Ledger;
use super::slot::JobSlot;
use super::worker::Worker;
use super::{JobHandle, SupervisorBuilder};
use crate::{
    ClockExt as _, Entropy, Error, ErrorKind, Gauge, Grant, Health, LeaseKeeper, LeaseStore, Metrics, Result,
    SharedClock, StateCell, StateLeases, StateStore, TaskSet,
};

/// Attempts of a standby per term of the lease: it takes over soon after the lease ran out.
const LOOKS_PER_TTL: u32 = 4;

/// Runs jobs when they are due.
///
/// With a [lease](SupervisorBuilder::lease) any number of replicas may run on one store: one leads, the
/// others stand by. Every end of a run is written once and under the lease's fence, so that a leader that was
/// paused and comes back late changes nothing.
///
/// ```
/// use std::sync::Arc;
/// use alfred_ops_core::{Activation, Job, JobContext, JobReport, MemoryStateStore, Result, Supervisor};
///
/// #[derive(Debug)]
/// struct Hello;
///
/// #[async_trait::async_trait]
/// impl Job for Hello {
///     fn name(&self) -> &str { "hello" }
///     fn activation(&self) -> Activation { Activation::OnWake }
///     async fn run(&self, _context: &JobContext) -> Result<JobReport> { Ok(JobReport::new("greeted")) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let ops = Supervisor::builder(Arc::new(MemoryStateStore::default())).job(Hello).build()?;
/// let hello = ops.handle("hello").expect("it was added above");
/// hello.wake();
/// ops.run_until(async {
///     while hello.history().await.unwrap_or_default().is_empty() {
///         tokio::task::yield_now().await;
///     }
/// })
/// .await?;
/// assert_eq!(hello.history().await?[0].summary, "greeted");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Supervisor {
    name: String,
    holder: String,
    store: Arc<dyn StateStore>,
    clock: SharedClock,
    entropy: Arc<dyn Entropy>,
    lease_ttl: Option<Duration>,
    drain: Duration,
    slots: Vec<Arc<JobSlot>>,
    health: Health,
    metrics: Metrics,
    leader: Gauge,
    active: AtomicBool,
}

/// Why a term ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TermEnd {
    Shutdown,
    LeaseLost,
}

impl Supervisor {
    /// Starts to put a supervisor together whose state is in `store`.
    #[must_use]
    pub fn builder(store: Arc<dyn StateStore>) -> SupervisorBuilder {
        SupervisorBuilder::new(store)
    }

    pub(super) fn new(
        builder: SupervisorBuilder,
        slots: Vec<Arc<JobSlot>>,
        holder: String,
        health: Health,
        metrics: Metrics,
        leader: Gauge,
    ) -> Self {
        Self {
            name: builder.name,
            holder,
            store: builder.store,
            clock: builder.clock,
            entropy: builder.entropy,
            lease_ttl: builder.lease_ttl,
            drain: builder.drain,
            slots,
            health,
            metrics,
            leader,
            active: AtomicBool::new(false),
        }
    }

    /// One of its jobs.
    #[must_use]
    pub fn handle(&self, job: &str) -> Option<JobHandle> {
        let slot = self.slots.iter().find(|slot| slot.name == job)?;
        Some(JobHandle { slot: Arc::clone(slot), store: Arc::clone(&self.store) })
    }

    /// How its jobs are.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Whether this replica runs the jobs now.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.leader.get() > 0.0
    }

    /// Runs the jobs until `shutdown` ends, then asks them to stop and waits for them within the drain
    /// limit. When it returns, no task of it is left. Dropping the future drops all runs where they are,
    /// without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] with the jobs that had to be dropped at the end of the drain limit,
    /// [`ErrorKind::Conflict`] if it runs already.
    pub async fn run_until(&self, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
        if self.active.swap(true, Ordering::AcqRel) {
            let fault = "it runs already";
            return Err(Error::new(ErrorKind::Conflict, "run supervisor", fault).with_target(&self.name));
        }
        let _active = Active(self);
        let mut shutdown = pin!(shutdown);
        let Some(ttl) = self.lease_ttl else {
            return self.lead(None, shutdown.as_mut()).await.map(|_| ());
        };
        let leases: Arc<dyn LeaseStore> =
            Arc::new(StateLeases::new(Arc::clone(&self.store), Arc::clone(&self.clock)));
        loop {
            let grant = tokio::select! {
                biased;
                () = shutdown.as_mut() => return Ok(()),
                grant = self.stand_by(leases.as_ref(), ttl) => grant,
            };
            info!(supervisor = self.name, epoch = grant.epoch, "this replica leads");
            let keeper = LeaseKeeper::start(Arc::clone(&leases), grant, Arc::clone(&self.clock));
            let end = self.lead(Some(&keeper), shutdown.as_mut()).await;
            // All runs have ended: whoever waits may lead at once, also if trust ran out here.
            if let Err(error) = keeper.release().await {
                warn!(supervisor = self.name, error = %error.full(), "the lease was not freed; it runs out");
            }
            if end? == TermEnd::Shutdown {
                return Ok(());
            }
        }
    }

    /// Waits until the lease is ours.
    async fn stand_by(&self, leases: &dyn LeaseStore, ttl: Duration) -> Grant {
        loop {
            let attempt = leases.acquire(&self.name, &self.holder, ttl);
            match self.clock.timeout(ttl, "acquire lease", attempt).await.and_then(|result| result) {
                Ok(Some(grant)) if !grant.trust_left(self.clock.monotonic()).is_zero() => return grant,
                Ok(_) => {}
                Err(error) => {
                    warn!(supervisor = self.name, error = %error.full(), "the lease is out of reach");
                }
            }
            self.clock.sleep(ttl / LOOKS_PER_TTL).await;
        }
    }

    /// Runs the jobs until shutdown or until the lease is lost, and joins them.
    async fn lead(
        &self,
        keeper: Option<&LeaseKeeper>,
        shutdown: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> Result<TermEnd> {
        let never = CancellationToken::new();
        let lost = keeper.map_or(&never, LeaseKeeper::lost);
        let (cancel, fenced) = (CancellationToken::new(), CancellationToken::new());
        // Dropping the set ends everything where it is.
        let tasks = TaskSet::new(&never);
        let kill = tasks.cancel_token().clone();
        for slot in &self.slots {
            tasks.spawn(self.worker(slot, keeper, &cancel, &kill, &fenced).run());
        }
        self.leader.set(1.0);
        let end = tokio::select! {
            biased;
            () = lost.cancelled() => TermEnd::LeaseLost,
            () = fenced.cancelled() => TermEnd::LeaseLost,
            () = shutdown => TermEnd::Shutdown,
        };
        cancel.cancel();
        // What is left of the term after trust has ended is there for stopping in; then others may lead.
        let limit = match (end, keeper) {
            (TermEnd::LeaseLost, Some(keeper)) => keeper.grant().margin(),
            _ => self.drain,
        };
        let mut joined = pin!(tasks.join());
        let late = tokio::select! {
            biased;
            () = joined.as_mut() => None,
            () = self.clock.sleep(limit) => Some(self.running()),
            () = lost.cancelled(), if end == TermEnd::Shutdown => Some(self.running()),
        };
        if late.is_some() {
            kill.cancel();
            joined.await;
        }
        self.leader.set(0.0);
        let late = late.unwrap_or_default();
        if end == TermEnd::Shutdown && !late.is_empty() {
            let fault = format!("dropped after {limit:?} without having stopped: {}", late.join(", "));
            return Err(Error::new(ErrorKind::Timeout, "drain jobs", fault).with_target(&self.name));
        }
        Ok(end)
    }

    fn worker(
        &self,
        slot: &Arc<JobSlot>,
        keeper: Option<&LeaseKeeper>,
        cancel: &CancellationToken,
        kill: &CancellationToken,
        fenced: &CancellationToken,
    ) -> Worker {
        Worker {
            slot: Arc::clone(slot),
            ledger: Ledger {
                cell: StateCell::new(Arc::clone(&self.store), &slot.key),
                clock: Arc::clone(&self.clock),
                fence: keeper.map(LeaseKeeper::fence),
                history_max: slot.options.history_max,
            },
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            cancel: cancel.clone(),
            kill: kill.clone(),
            fenced: fenced.clone(),
        }
    }

    fn running(&self) -> Vec<String> {
        self.slots.iter().filter(|slot| slot.running().is_some()).map(|slot| slot.name.clone()).collect()
    }
}

/// Marks the supervisor as running for as long as it lives.
struct Active<'a>(&'a Supervisor);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.leader.set(0.0);
        self.0.active.store(false, Ordering::Release);
    }
}
