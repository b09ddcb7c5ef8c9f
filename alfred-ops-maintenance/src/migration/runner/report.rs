//! What is pending, and what was done.

use std::fmt;
use std::time::Duration;

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MigrationPlan {
    /// The versions that are not applied yet, in their order, with their descriptions.
    pub pending: Vec<(i64, String)>,
    /// Indexes and constraints of applied migrations that were left unfinished and would be finished.
    pub unfinished: Vec<String>,
    /// Applied versions that a newer release has brought.
    pub newer: Vec<i64>,
}

impl fmt::Display for MigrationPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pending.is_empty() && self.unfinished.is_empty() {
            return f.write_str("nothing to migrate");
        }
        let pending =
            self.pending.iter().map(|(version, description)| format!("apply {version} {description}"));
        let unfinished = self.unfinished.iter().map(|name| format!("finish {name}"));
        f.write_str(&pending.chain(unfinished).collect::<Vec<_>>().join("; "))
    }
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MigrationReport {
    /// The versions that it applied, in their order.
    pub applied: Vec<i64>,
    /// Indexes and constraints of applied migrations that had been left unfinished, and are not any more.
    pub finished: Vec<String>,
    /// Half-built indexes of pending migrations that it removed before it began, or began anew.
    pub removed: Vec<String>,
    /// How often it gave way to somebody who held a lock, and tried again.
    pub retries: u32,
    /// How long it waited for its turn behind other replicas.
    pub waited: Duration,
}

impl fmt::Display for MigrationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { applied, finished, removed, retries, waited } = self;
        write!(
            f,
            "{} applied, {} finished, {} half-built removed, {retries} retries, {waited:.1?} waited",
            applied.len(),
            finished.len(),
            removed.len()
        )
    }
}
