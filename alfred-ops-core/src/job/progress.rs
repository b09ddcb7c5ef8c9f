//! How far long work has come.

use std::borrow::Cow;
use std::sync::Arc;

use tokio::sync::watch;

/// What the numbers of a [`ProgressState`] count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ProgressUnit {
    /// Bytes.
    Bytes,
    /// Anything else: files, rows, tasks.
    #[default]
    Items,
}

/// One reading of a [`Progress`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProgressState {
    /// What is being done, in a few words.
    pub phase: Cow<'static, str>,
    /// How much of this phase is done.
    pub done: u64,
    /// How much there is to do, as far as known: an estimate that `done` may pass.
    pub total: Option<u64>,
    /// What the two numbers count.
    pub unit: ProgressUnit,
}

/// The reporting end of long work. Clones report to the same place; reporting never waits.
#[derive(Debug, Clone)]
pub struct Progress(Arc<watch::Sender<ProgressState>>);

impl Progress {
    /// Progress that nobody has looked at yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(ProgressState::default())))
    }

    /// Starts a phase at zero.
    pub fn begin(&self, phase: impl Into<Cow<'static, str>>, total: Option<u64>, unit: ProgressUnit) {
        self.0.send_replace(ProgressState { phase: phase.into(), done: 0, total, unit });
    }

    /// Adds to what is done in this phase.
    pub fn add(&self, done: u64) {
        self.0.send_modify(|state| state.done = state.done.saturating_add(done));
    }

    /// Corrects how much there is to do in this phase.
    pub fn set_total(&self, total: u64) {
        self.0.send_modify(|state| state.total = Some(total));
    }

    /// The present reading.
    #[must_use]
    pub fn state(&self) -> ProgressState {
        self.0.borrow().clone()
    }

    /// A receiver that wakes on every change and sees the newest.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<ProgressState> {
        self.0.subscribe()
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
