//! How much a run may take.

use std::time::Duration;

/// How much one run may take. A run that has used up its budget stops between two steps, and the next goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// For so long.
    pub time: Duration,
    /// So many rows, bytes or whatever the chore counts in [`Figures::work`](super::Figures::work). None for no limit.
    pub work: Option<u64>,
    /// No step keeps others waiting behind its locks for longer.
    pub lock: Duration,
}

impl Default for Budget {
    /// An hour, any amount of work, no lock over 100 ms.
    fn default() -> Self {
        Self { time: Duration::from_secs(3600), work: None, lock: Duration::from_millis(100) }
    }
}

impl Budget {
    /// Another limit of time.
    #[must_use]
    pub const fn with_time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// A limit of work.
    #[must_use]
    pub const fn with_work(mut self, work: u64) -> Self {
        self.work = Some(work);
        self
    }

    /// Another longest lock.
    #[must_use]
    pub const fn with_lock(mut self, lock: Duration) -> Self {
        self.lock = lock;
        self
    }
}
