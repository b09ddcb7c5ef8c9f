//! What partitions there should be.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// What partitions a table should have. The table is partitioned by range over one column of the type `timestamptz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartitionPolicy {
    /// The table, by its name within the schema that the role sees first.
    pub table: String,
    /// What one partition holds: whole hours, in step with midnight UTC of 1970-01-01.
    pub every: Duration,
    /// How many are made ahead of the one that is written to.
    pub ahead: u32,
    /// For how long rows stay attached.
    pub keep: Duration,
}

/// More partitions than this slow planning of queries down.
const PARTITIONS_MAX: u128 = 1000;

impl PartitionPolicy {
    /// Daily partitions, three ahead, of the platform's processed messages, which stay for 48 hours.
    #[must_use]
    pub fn processed_msgs() -> Self {
        Self::daily("processed_msgs", Duration::from_secs(48 * 3600))
    }

    /// Daily partitions of a table, three ahead.
    #[must_use]
    pub fn daily(table: impl Into<String>, keep: Duration) -> Self {
        Self { table: table.into(), every: Duration::from_secs(24 * 3600), ahead: 3, keep }
    }

    /// The same with other partitions.
    #[must_use]
    pub const fn with_every(mut self, every: Duration, ahead: u32) -> Self {
        (self.every, self.ahead) = (every, ahead);
        self
    }

    /// Refuses a policy that makes no sense.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with every mistake in it.
    pub fn check(&self) -> Result<()> {
        let mut mistakes = Vec::new();
        let name = |first: char| first.is_ascii_lowercase() || first == '_';
        let rest = |next: char| name(next) || next.is_ascii_digit();
        // A partition's name has the time behind the table's, and Postgres cuts names at 63 bytes.
        if !(self.table.starts_with(name) && self.table.chars().all(rest) && self.table.len() <= 48) {
            mistakes.push(format!(
                "table: {:?} is not of lower-case letters, digits and underscores, 48 at most",
                self.table
            ));
        }
        let hours = self.every.as_secs() / 3600;
        if hours == 0 || Duration::from_secs(hours * 3600) != self.every {
            mistakes.push(format!("every: {:?} is not of whole hours", self.every));
        } else if self.keep.as_nanos() / self.every.as_nanos() + u128::from(self.ahead) > PARTITIONS_MAX {
            mistakes.push(format!("keep: {:?} makes more than {PARTITIONS_MAX} partitions", self.keep));
        }
        if self.ahead == 0 {
            mistakes.push("ahead: 0 leaves writers without a partition at its end".to_owned());
        }
        if mistakes.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidInput, "check partition policy", mistakes.join("; ")))
    }
}
