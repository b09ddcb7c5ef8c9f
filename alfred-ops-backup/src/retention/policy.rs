//! What the owner wants to keep.

use std::time::Duration;

/// What the owner wants to keep of each source. A backup is kept if any rule wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetentionPolicy {
    /// The newest so many, however old they are: at least one.
    pub copies_min: usize,
    /// The newest of each of the last so many days (of UTC) that have one.
    pub daily: usize,
    /// The newest of each of the last so many weeks (from Monday, of UTC) that have one.
    pub weekly: usize,
    /// The newest of each of the last so many months (of UTC) that have one.
    pub monthly: usize,
    /// Every moment since so long ago stays restorable: the newest backup that is older is kept, all since,
    /// and the log from there on.
    pub window: Duration,
}

impl RetentionPolicy {
    /// Another number of newest backups; 0 counts as 1.
    #[must_use]
    pub const fn with_copies_min(mut self, copies: usize) -> Self {
        self.copies_min = copies;
        self
    }

    /// Other numbers of days, weeks and months.
    #[must_use]
    pub const fn with_calendar(mut self, daily: usize, weekly: usize, monthly: usize) -> Self {
        (self.daily, self.weekly, self.monthly) = (daily, weekly, monthly);
        self
    }

    /// Another window of recovery.
    #[must_use]
    pub const fn with_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }
}

impl Default for RetentionPolicy {
    /// Every moment of a week, a backup of each of seven days, four weeks and twelve months, and always two.
    fn default() -> Self {
        Self { copies_min: 2, daily: 7, weekly: 4, monthly: 12, window: Duration::from_secs(7 * 24 * 3600) }
    }
}
