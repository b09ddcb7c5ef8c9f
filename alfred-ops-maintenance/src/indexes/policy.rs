//! What is done about indexes.

use std::time::Duration;

/// What is done about indexes, and what is only told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexPolicy {
    /// Whether duplicate and redundant indexes are dropped, or only named. What a failed build left is always removed.
    pub drops: bool,
    /// An index without a scan for so long is named. It is never dropped: standbys do not tell of their scans, and a report
    /// may come once a year.
    pub unused_after: Duration,
}

impl Default for IndexPolicy {
    /// Nothing is dropped but leftovers; unused after 30 days.
    fn default() -> Self {
        Self { drops: false, unused_after: Duration::from_secs(30 * 24 * 3600) }
    }
}

impl IndexPolicy {
    /// Drops duplicate and redundant indexes.
    #[must_use]
    pub const fn with_drops(mut self) -> Self {
        self.drops = true;
        self
    }
}
