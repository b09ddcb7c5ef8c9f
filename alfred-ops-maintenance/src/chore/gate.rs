//! What must be true for a chore to run.

use std::convert::identity;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{ClockExt as _, Result, SharedClock, Window};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// What must be true for a chore to run: no page is firing, the last backup is fresh and verified, the window is open.
///
/// It is asked before a run and again every few seconds within it: a gate that closes stops the run between two steps.
#[async_trait]
pub trait Gate: fmt::Debug + Send + Sync + 'static {
    /// A short name for people.
    fn name(&self) -> &str;

    /// None if it is open, else why not. Dropping the future has no effect, and one that takes too long is dropped: a chore's
    /// gate has 30 seconds, and counts as closed then.
    ///
    /// # Errors
    /// Nobody can tell: the gate counts as closed.
    async fn closed(&self, now: DateTime<Utc>) -> Result<Option<String>>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<G: Gate + ?Sized> Gate for Arc<G> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn closed(&self, now: DateTime<Utc>) -> Result<Option<String>> {
        (**self).closed(now).await
    }
}

/// Open within a maintenance window.
#[derive(Debug, Clone)]
pub struct WindowGate(Window);

impl WindowGate {
    /// Open within `window`.
    #[must_use]
    pub const fn new(window: Window) -> Self {
        Self(window)
    }
}

#[async_trait]
impl Gate for WindowGate {
    fn name(&self) -> &str {
        "window"
    }

    async fn closed(&self, now: DateTime<Utc>) -> Result<Option<String>> {
        Ok((!self.0.contains(now)).then(|| "it is outside of the maintenance window".to_owned()))
    }
}

/// A gate that asks the host.
///
/// ```
/// use alfred_ops_maintenance::ClosureGate;
///
/// let pages_firing = || 2;
/// let gate = ClosureGate::new("pages", move || async move {
///     let count = pages_firing();
///     Ok((count > 0).then(|| format!("{count} pages are firing")))
/// });
/// ```
pub struct ClosureGate<F> {
    name: String,
    ask: F,
}

impl<F, A> ClosureGate<F>
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = Result<Option<String>>> + Send,
{
    /// A gate that `ask` says of why it is closed, if it is.
    #[must_use]
    pub fn new(name: impl Into<String>, ask: F) -> Self {
        Self { name: name.into(), ask }
    }
}

impl<F> fmt::Debug for ClosureGate<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosureGate").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F, A> Gate for ClosureGate<F>
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = Result<Option<String>>> + Send,
{
    fn name(&self) -> &str {
        &self.name
    }

    async fn closed(&self, _: DateTime<Utc>) -> Result<Option<String>> {
        (self.ask)().await
    }
}

/// A chore's gate answers within this time, or counts as closed: chores ask every few seconds.
pub(crate) const GATE_LIMIT: Duration = Duration::from_secs(30);

/// The first gate that is closed, and why. Each has so much time: nobody can tell of one that does not answer.
pub(crate) async fn first_closed(
    gates: &[Arc<dyn Gate>],
    clock: &SharedClock,
    limit: Duration,
) -> Option<(String, String)> {
    for gate in gates {
        let answer = clock.timeout(limit, "ask gate", gate.closed(clock.now())).await.and_then(identity);
        let reason = match answer {
            Ok(None) => continue,
            Ok(Some(reason)) => reason,
            Err(error) => format!("nobody can tell: {}", error.full()),
        };
        return Some((gate.name().to_owned(), reason));
    }
    None
}
