//! Hosts that die at a chosen call, and what must be true whenever they do.

#![allow(dead_code, reason = "each test that includes it uses a part")]

pub(crate) mod issuer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alfred_ops_core::{
    Document, Error, ErrorKind, Expected, Fence, JobContext, LIST_LIMIT_MAX, MemoryStateStore, Result,
    Secret, SimulatedClock, StateStore, Write,
};
use alfred_ops_maintenance::{
    ChoreRun, MadeSecret, RotationPolicy, SecretCare, SecretKind, SecretStore, SecretView, VersionState,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};
use tokio::sync::watch;

/// Counts calls, twice each, and dies or stalls at one of them: before it has any effect, or after.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    points: AtomicU64,
    dies_at: AtomicU64,
    stalls_at: AtomicU64,
    stall: watch::Sender<Stall>,
}

/// How a host stalls: none of its calls goes on meanwhile.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stall {
    #[default]
    NotYet,
    Stalled,
    Over,
}

impl Faults {
    pub(crate) fn die_at(&self, point: u64) {
        self.points.store(0, Ordering::SeqCst);
        self.dies_at.store(point, Ordering::SeqCst);
    }

    /// Points passed since.
    pub(crate) fn points(&self) -> u64 {
        self.points.load(Ordering::SeqCst)
    }

    pub(crate) fn stall_at(&self, point: u64) {
        self.stalls_at.store(point, Ordering::SeqCst);
    }

    pub(crate) async fn stalled(&self) {
        self.stall.subscribe().wait_for(|stall| *stall == Stall::Stalled).await.unwrap();
    }

    pub(crate) fn wake(&self) {
        self.stall.send_replace(Stall::Over);
    }

    /// Waits while the host is stalled.
    async fn wait(&self) {
        self.stall.subscribe().wait_for(|stall| *stall != Stall::Stalled).await.unwrap();
    }

    async fn point(&self) -> Result<()> {
        let point = self.points.fetch_add(1, Ordering::SeqCst) + 1;
        if point == self.stalls_at.load(Ordering::SeqCst) {
            self.stall.send_replace(Stall::Stalled);
        }
        self.wait().await;
        if point == self.dies_at.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Internal, "live", format!("the host dies at point {point}")));
        }
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) struct Mortal<T> {
    inner: T,
    faults: Arc<Faults>,
}

impl<T> Mortal<T> {
    pub(crate) fn new(inner: T, faults: &Arc<Faults>) -> Self {
        Self { inner, faults: Arc::clone(faults) }
    }

    async fn around<R>(&self, call: impl Future<Output = Result<R>> + Send) -> Result<R>
    where
        T: Sync,
    {
        self.faults.point().await?;
        let done = call.await?;
        self.faults.point().await?;
        Ok(done)
    }
}

#[async_trait]
impl<S: SecretStore> SecretStore for Mortal<S> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn look(&self, secret: &str) -> Result<SecretView> {
        self.around(self.inner.look(secret)).await
    }

    async fn read(&self, secret: &str, version: u64) -> Result<Secret> {
        self.around(self.inner.read(secret, version)).await
    }

    async fn add(&self, secret: &str, value: &Secret) -> Result<u64> {
        self.around(self.inner.add(secret, value)).await
    }

    async fn set_state(&self, secret: &str, version: u64, state: VersionState) -> Result<()> {
        self.around(self.inner.set_state(secret, version, state)).await
    }

    async fn point(&self, secret: &str, version: u64, revision: &str) -> Result<()> {
        self.around(self.inner.point(secret, version, revision)).await
    }
}

#[async_trait]
impl<K: SecretKind> SecretKind for Mortal<K> {
    async fn make(&self, id: &str, in_use: Option<&str>) -> Result<MadeSecret> {
        self.around(self.inner.make(id, in_use)).await
    }

    async fn abandon(&self, id: &str) -> Result<()> {
        self.around(self.inner.abandon(id)).await
    }

    async fn identify(&self, value: &Secret) -> Result<String> {
        self.around(self.inner.identify(value)).await
    }

    async fn publish(&self, handle: &str, value: &Secret) -> Result<()> {
        self.around(self.inner.publish(handle, value)).await
    }

    async fn verify(&self, handle: &str, value: &Secret) -> Result<()> {
        self.around(self.inner.verify(handle, value)).await
    }

    async fn users(&self, handle: &str) -> Result<u64> {
        self.around(self.inner.users(handle)).await
    }

    async fn lock(&self, handle: &str) -> Result<()> {
        self.around(self.inner.lock(handle)).await
    }

    async fn revoke(&self, handle: &str) -> Result<()> {
        self.around(self.inner.revoke(handle)).await
    }
}

#[async_trait]
impl<S: StateStore> StateStore for Mortal<S> {
    async fn get(&self, key: &str) -> Result<Option<Document>> {
        self.around(self.inner.get(key)).await
    }

    async fn put(&self, write: &Write) -> Result<u64> {
        self.around(self.inner.put(write)).await
    }

    async fn delete(&self, key: &str, expected: Expected, fence: Option<Fence>) -> Result<()> {
        self.around(self.inner.delete(key, expected, fence)).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Document>> {
        self.around(self.inner.list(prefix, after, limit)).await
    }
}

/// Everything that outlives a host.
pub(crate) struct World<S, K> {
    pub(crate) clock: SimulatedClock,
    pub(crate) context: JobContext,
    pub(crate) state: MemoryStateStore,
    pub(crate) secrets: S,
    pub(crate) kind: K,
    pub(crate) policy: RotationPolicy,
    pub(crate) faults: Arc<Faults>,
    /// All that was ever told: plans, errors, records.
    pub(crate) told: std::sync::Mutex<String>,
}

pub(crate) const SECRET: &str = "agent-key";

impl<S: SecretStore + Clone, K: SecretKind + Clone> World<S, K> {
    pub(crate) fn new(make: impl FnOnce(&SimulatedClock) -> S, kind: K, policy: RotationPolicy) -> Self {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
        Self {
            secrets: make(&clock),
            context: JobContext::system().with_clock(clock_of(&clock)),
            state: MemoryStateStore::new(clock_of(&clock)),
            clock,
            kind,
            policy,
            faults: Arc::default(),
            told: std::sync::Mutex::default(),
        }
    }

    /// A new host's care. It dies where the faults say.
    pub(crate) fn care(&self) -> SecretCare<Mortal<K>> {
        self.care_with(&self.faults)
    }

    fn care_with(&self, faults: &Arc<Faults>) -> SecretCare<Mortal<K>> {
        let store = Arc::new(Mortal::new(self.secrets.clone(), faults));
        let state = Arc::new(Mortal::new(self.state.clone(), faults));
        let kind = Mortal::new(self.kind.clone(), faults);
        SecretCare::new(SECRET, store, kind, self.policy.clone(), state).unwrap()
    }

    /// A new host looks once, and may die.
    pub(crate) async fn run(&self) -> Result<ChoreRun> {
        self.run_with(&self.faults, &self.context).await
    }

    /// A host with faults and a clock of its own looks once.
    pub(crate) async fn run_with(&self, faults: &Arc<Faults>, context: &JobContext) -> Result<ChoreRun> {
        let store: Arc<dyn StateStore> = Arc::new(self.state.clone());
        let care = self.care_with(faults);
        let caretaker = alfred_ops_maintenance::Caretaker::builder(care, store).build().unwrap();
        let ran = caretaker.run(context).await;
        let told = match &ran {
            Ok(run) => format!("{run} {run:?} {caretaker:?}"),
            Err(error) => format!("{} {error:?}", error.full()),
        };
        self.told.lock().unwrap().push_str(&told);
        ran
    }

    /// There is an active version at all times, it can be read, and it works.
    pub(crate) async fn check(&self, about: &str) -> Secret {
        let view = self.secrets.look(SECRET).await.unwrap();
        let active = view.active.unwrap_or_else(|| panic!("{about}: no version is active"));
        assert_eq!(view.state_of(active), Some(VersionState::Enabled), "{about}");
        let value = self.secrets.read(SECRET, active).await.unwrap();
        let handle = self.kind.identify(&value).await.unwrap();
        if let Err(error) = self.kind.verify(&handle, &value).await {
            panic!("{about}: the active version does not work: {}", error.full());
        }
        value
    }

    pub(crate) fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }

    /// All that is in the state store, as text.
    pub(crate) async fn state_text(&self) -> String {
        let documents = self.state.list("", "", LIST_LIMIT_MAX).await.unwrap();
        documents.iter().map(|document| format!("{} {}\n", document.key, document.value)).collect()
    }
}

fn clock_of(clock: &SimulatedClock) -> alfred_ops_core::SharedClock {
    clock.shared()
}
