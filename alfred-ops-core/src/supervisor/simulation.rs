//! Replicas in simulated time, for this module's tests: each has a clock and a way to the store of its own, so
//! that one can be paused as a stopped process is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{JobOptions, Supervisor, SupervisorBuilder};
use crate::{
    Document, ErrorKind, Expected, Fence, Job, MemoryStateStore, Result, SeededEntropy, SimulatedClock,
    StateStore, TaskHandle, TaskSet, Write,
};

pub(super) const TICK: Duration = Duration::from_millis(100);
pub(super) const TTL: Duration = Duration::from_secs(2);

/// Lets every task go as far as it can without time passing.
pub(super) async fn quiesce() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// A way to the store that can be shut: calls wait in it and go through late.
#[derive(Debug)]
struct Gated {
    inner: MemoryStateStore,
    open: watch::Receiver<bool>,
    fenced: Arc<AtomicU64>,
}

impl Gated {
    async fn pass(&self) {
        let _ = self.open.clone().wait_for(|open| *open).await;
    }
}

#[async_trait]
impl StateStore for Gated {
    async fn get(&self, key: &str) -> Result<Option<Document>> {
        self.pass().await;
        let answer = self.inner.get(key).await;
        self.pass().await;
        answer
    }

    async fn put(&self, write: &Write) -> Result<u64> {
        self.pass().await;
        let answer = self.inner.put(write).await;
        if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Fenced) {
            self.fenced.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    async fn delete(&self, key: &str, expected: Expected, fence: Option<Fence>) -> Result<()> {
        self.inner.delete(key, expected, fence).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Document>> {
        self.inner.list(prefix, after, limit).await
    }
}

/// One replica, running since it was made.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) supervisor: Arc<Supervisor>,
    pub(super) paused: bool,
    clock: SimulatedClock,
    behind: Duration,
    gate: watch::Sender<bool>,
    shutdown: CancellationToken,
    kill: CancellationToken,
    task: TaskHandle<Option<Result<()>>>,
}

/// One store and the time that passes for it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) clock: SimulatedClock,
    pub(super) store: MemoryStateStore,
    pub(super) fenced: Arc<AtomicU64>,
    tasks: TaskSet,
    made: u64,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        Self {
            store: MemoryStateStore::new(clock.shared()),
            clock,
            fenced: Arc::default(),
            tasks: TaskSet::new(&CancellationToken::new()),
            made: 0,
        }
    }

    /// Starts a replica that runs `job`.
    pub(super) fn start(
        &mut self,
        job: impl Job,
        options: JobOptions,
        adjust: impl FnOnce(SupervisorBuilder) -> SupervisorBuilder,
    ) -> Replica {
        self.made += 1;
        let clock = SimulatedClock::starting_at(crate::Clock::now(&self.clock));
        let (gate, open) = watch::channel(true);
        let store = Gated { inner: self.store.clone(), open, fenced: Arc::clone(&self.fenced) };
        let builder = Supervisor::builder(Arc::new(store))
            .clock(clock.shared())
            .entropy(Arc::new(SeededEntropy::new(self.made)))
            .job_with(job, options);
        let supervisor = Arc::new(adjust(builder).build().unwrap());
        let (shutdown, kill) = (CancellationToken::new(), CancellationToken::new());
        let task = self.tasks.spawn({
            let (supervisor, shutdown, kill) = (Arc::clone(&supervisor), shutdown.clone(), kill.clone());
            async move {
                tokio::select! {
                    () = kill.cancelled() => None,
                    result = supervisor.run_until(shutdown.cancelled()) => Some(result),
                }
            }
        });
        Replica { supervisor, paused: false, clock, behind: Duration::ZERO, gate, shutdown, kill, task }
    }

    /// Lets time pass for the store and for all replicas that are not paused.
    pub(super) async fn pass(&self, replicas: &mut [Replica], time: Duration) {
        let mut left = time;
        quiesce().await;
        while !left.is_zero() {
            let tick = left.min(TICK);
            left -= tick;
            self.clock.advance(tick);
            for replica in &mut *replicas {
                if replica.paused {
                    replica.behind += tick;
                } else {
                    replica.clock.advance(tick);
                }
            }
            quiesce().await;
        }
    }
}

impl Replica {
    /// Stops it as SIGSTOP does: no time passes for it and nothing gets through.
    pub(super) fn pause(&mut self) {
        self.paused = true;
        self.gate.send_replace(false);
    }

    /// Lets what was under way go through before it finds out how late it is.
    pub(super) async fn resume(&mut self) {
        self.paused = false;
        self.gate.send_replace(true);
        quiesce().await;
        self.clock.advance(std::mem::take(&mut self.behind));
        quiesce().await;
    }

    /// Ends it as a crash does.
    pub(super) async fn crash(self) {
        self.kill.cancel();
        assert!(self.task.await.unwrap().is_none());
    }

    pub(super) fn begin_shutdown(&self) {
        self.shutdown.cancel();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// The result after a shutdown that time was allowed for.
    pub(super) async fn ended(self) -> Result<()> {
        assert!(self.task.is_finished(), "it still runs");
        self.task.await.unwrap().unwrap()
    }
}
