//! How far long work has come.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

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

impl ProgressState {
    /// How long the rest of this phase takes if it goes on as it went for `elapsed`, since the phase began. `None`
    /// while nothing is known.
    #[must_use]
    pub fn remaining(&self, elapsed: Duration) -> Option<Duration> {
        let rest = self.total?.saturating_sub(self.done);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let seconds = elapsed.as_secs_f64() * (rest as f64 / self.done as f64);
        Duration::try_from_secs_f64(seconds).ok()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_takes_as_long_as_what_is_done_took() {
        let seconds = Duration::from_secs;
        let state = |done, total| ProgressState { done, total, ..ProgressState::default() };
        assert_eq!(state(25, Some(100)).remaining(seconds(10)), Some(seconds(30)));
        assert_eq!(state(120, Some(100)).remaining(seconds(10)), Some(Duration::ZERO));
        assert_eq!(state(25, None).remaining(seconds(10)), None);
        assert_eq!(state(0, Some(100)).remaining(seconds(10)), None, "nothing tells how fast it goes");
    }
}
