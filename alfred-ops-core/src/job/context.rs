//! What long work is given to run with.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::{Entropy, Error, ErrorKind, Fence, Progress, Result, SharedClock, SystemClock, SystemEntropy};

/// What long work is given to run with: time, randomness, a way to stop it, a place to report progress and,
/// under a lease, the fence for its writes. Clones share all of these.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobContext {
    /// Where time comes from.
    pub clock: SharedClock,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// Cancelled when the work should stop: at the next safe point, leaving nothing half-visible.
    pub cancel: CancellationToken,
    /// Where progress is reported.
    pub progress: Progress,
    /// The fence that every write under a lease carries.
    pub fence: Option<Fence>,
}

impl JobContext {
    /// A context on the machine's clock and randomness, for work started by hand.
    #[must_use]
    pub fn system() -> Self {
        Self {
            clock: SystemClock::shared(),
            entropy: Arc::new(SystemEntropy),
            cancel: CancellationToken::new(),
            progress: Progress::new(),
            fence: None,
        }
    }

    /// The same context on another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }

    /// The same context on another source of randomness.
    #[must_use]
    pub fn with_entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// The same context, stopped by another token.
    #[must_use]
    pub fn with_cancel(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// The same context, reporting elsewhere.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// The same context, its writes carrying `fence`.
    #[must_use]
    pub fn with_fence(mut self, fence: Fence) -> Self {
        self.fence = Some(fence);
        self
    }

    /// The wall clock.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Fails if the work should stop: call it at every safe point.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`] once the token is cancelled.
    pub fn check(&self, operation: &'static str) -> Result<()> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, operation, "the caller asked to stop"));
        }
        Ok(())
    }
}
