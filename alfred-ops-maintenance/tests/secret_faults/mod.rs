//! Hosts that die at a chosen call, and what must be true whenever they do.

#![allow(dead_code, reason = "each test that includes it uses a part")]

pub(crate) mod issuer;

use std::sync::Arc;

use alfred_ops_core::testing::{Fate, Fuse, Mortal};
use alfred_ops_core::{
    JobContext, LIST_LIMIT_MAX, MemoryStateStore, Result, Secret, SimulatedClock, StateStore,
};
use alfred_ops_maintenance::{ChoreRun, RotationPolicy, SecretCare, SecretKind, SecretStore, VersionState};
use chrono::{DateTime, TimeDelta};

/// Lights the fuse for a moment of the host, counted from 1: the odd ones come before a call, the even ones after it.
pub(crate) fn die_at(fuse: &Fuse, moment: u64) {
    let fate = if moment % 2 == 1 { Fate::DiesBefore } else { Fate::DiesAfter };
    fuse.light((moment - 1) / 2, fate);
}

/// As [`die_at`], but the host stands still.
pub(crate) fn stall_at(fuse: &Fuse, moment: u64) {
    let fate = if moment % 2 == 1 { Fate::HangsBefore } else { Fate::HangsAfter };
    fuse.light((moment - 1) / 2, fate);
}

/// Everything that outlives a host.
pub(crate) struct World<S, K> {
    pub(crate) clock: SimulatedClock,
    pub(crate) context: JobContext,
    pub(crate) state: MemoryStateStore,
    pub(crate) secrets: S,
    pub(crate) kind: K,
    pub(crate) policy: RotationPolicy,
    pub(crate) fuse: Fuse,
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
            fuse: Fuse::default(),
            told: std::sync::Mutex::default(),
        }
    }

    /// A new host's care. It dies where the fuse says.
    pub(crate) fn care(&self) -> SecretCare<Mortal<K>> {
        self.care_with(&self.fuse)
    }

    fn care_with(&self, fuse: &Fuse) -> SecretCare<Mortal<K>> {
        let store = Arc::new(Mortal::new(self.secrets.clone(), fuse));
        let state = Arc::new(Mortal::new(self.state.clone(), fuse));
        let kind = Mortal::new(self.kind.clone(), fuse);
        SecretCare::new(SECRET, store, kind, self.policy.clone(), state).unwrap()
    }

    /// A new host looks once, and may die.
    pub(crate) async fn run(&self) -> Result<ChoreRun> {
        self.run_with(&self.fuse, &self.context).await
    }

    /// A host with a fuse and a clock of its own looks once.
    pub(crate) async fn run_with(&self, fuse: &Fuse, context: &JobContext) -> Result<ChoreRun> {
        fuse.revive();
        let store: Arc<dyn StateStore> = Arc::new(self.state.clone());
        let care = self.care_with(fuse);
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
