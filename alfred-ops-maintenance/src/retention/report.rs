//! What was done.

use std::time::Duration;

use super::RetentionPlan;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetentionReport {
    /// The plan that was carried out.
    pub plan: RetentionPlan,
    /// Rows removed.
    pub rows: u64,
    /// By so many statements.
    pub batches: u64,
    /// The longest of them.
    pub slowest_batch: Duration,
    /// Expired rows that somebody else held locked and that stay for the next run.
    pub rows_left: u64,
    /// Whether the caller asked to stop before the end. What was removed stays removed.
    pub stopped_early: bool,
}
