//! What a look at a table finds.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::TableName;

/// What a look finds.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct RetentionFacts {
    /// The role that looked.
    pub role: String,
    /// Whether the server only follows another.
    pub is_standby: bool,
    /// By how much this host's clock is ahead of the server's.
    pub clock_ahead: TimeDelta,
    /// The table, if there is one.
    pub table: Option<TableFacts>,
}

/// What is known of a table.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct TableFacts {
    /// The type of the age column; none if there is no such column.
    pub column_type: Option<String>,
    /// A valid B-tree that the age column leads.
    pub index: Option<String>,
    /// How far the order of ages is the order in the heap, -1 to 1; none before the first ANALYZE.
    pub correlation: Option<f32>,
    /// Blocks of the heap.
    pub blocks: u64,
    /// The rights on the table that the role lacks, such as `DELETE`.
    pub missing_rights: Vec<&'static str>,
    /// Whether the role has the owner's rights.
    pub is_owner: bool,
    /// Whether row-level security hides rows from the role.
    pub is_filtered: bool,
    /// Whether the rows are on another server.
    pub is_foreign: bool,
    /// The age column of the oldest row; none for an empty table, and where no index tells it.
    pub oldest: Option<DateTime<Utc>>,
    /// The block of that row.
    pub oldest_block: u64,
    /// The block of the youngest of the expired rows.
    pub newest_expired_block: u64,
    /// What has expired, where the table is partitioned by range over the age column.
    pub partitions: Option<Vec<ExpiredPartition>>,
    /// The default partition that keeps partitions from being detached.
    pub default_partition: Option<String>,
    /// Partitions that somebody else began to detach, or that are to stay now.
    pub left_detaching: Vec<TableName>,
    /// The tables that the rows are in, each with what is known of it, where it has partitions or children that do not go
    /// as a whole.
    pub parts: Option<Vec<(TableName, TableFacts)>>,
    /// Whether there are more of them than are looked at.
    pub has_too_many_parts: bool,
}

/// A partition all of whose rows have expired.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpiredPartition {
    /// Its name.
    pub name: TableName,
    /// The time after its last.
    pub to: Option<DateTime<Utc>>,
    /// How far it is.
    pub state: PartitionState,
    /// Its rows as the planner's statistics have them.
    pub rows_estimate: u64,
}

impl ExpiredPartition {
    /// A partition of about so many rows, all older than `to`.
    #[must_use]
    pub const fn new(
        name: TableName,
        to: Option<DateTime<Utc>>,
        state: PartitionState,
        rows_estimate: u64,
    ) -> Self {
        Self { name, to, state, rows_estimate }
    }
}

/// How far an expired partition is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionState {
    /// It is a part of the table.
    Attached,
    /// An earlier run began to detach it, and died or had to wait for too long.
    Detaching,
    /// An earlier run detached it, and died.
    Detached,
    /// It is a part of the table and stays, but an earlier run that died meant to drop it, and it still says so.
    Marked,
}

impl fmt::Display for ExpiredPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.state {
            PartitionState::Attached => write!(f, "detach and drop partition {name}")?,
            PartitionState::Detaching => write!(f, "finish detaching and drop partition {name}")?,
            PartitionState::Marked => {
                return write!(f, "{name} stays: take off the mark that an earlier run left on it");
            }
            PartitionState::Detached => write!(f, "drop {name}, which an earlier run detached")?,
        }
        match self.to {
            Some(to) => write!(f, ": all of its rows are older than {to}"),
            None => Ok(()),
        }
    }
}
