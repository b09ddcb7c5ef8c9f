//! How often and how soon.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};

/// How often and how soon to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub attempts_max: usize,
    /// The pause before the first retry; each later one is twice as long.
    pub pause_min: Duration,
    /// The longest pause, also where the far side names one.
    pub pause_max: Duration,
    /// Whether a repeat does no harm when the first attempt may have taken effect.
    pub idempotent: bool,
}

impl Default for RetryPolicy {
    /// Five attempts, 100 ms to 10 s apart, of an operation that must not happen twice.
    fn default() -> Self {
        Self {
            attempts_max: 5,
            pause_min: Duration::from_millis(100),
            pause_max: Duration::from_secs(10),
            idempotent: false,
        }
    }
}

impl RetryPolicy {
    /// Another number of attempts.
    #[must_use]
    pub fn with_attempts_max(mut self, attempts_max: usize) -> Self {
        self.attempts_max = attempts_max;
        self
    }

    /// Other pauses.
    #[must_use]
    pub fn with_pauses(mut self, pause_min: Duration, pause_max: Duration) -> Self {
        (self.pause_min, self.pause_max) = (pause_min, pause_max);
        self
    }

    /// Also repeats what may have taken effect.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// The pauses between the attempts.
    pub(super) fn pauses(&self) -> impl Iterator<Item = Duration> {
        ExponentialBuilder::default()
            .with_min_delay(self.pause_min)
            .with_max_delay(self.pause_max)
            .with_max_times(self.attempts_max.saturating_sub(1))
            .build()
    }
}
