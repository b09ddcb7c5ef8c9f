//! An index that costs and does not serve, or is missing.

use std::fmt;

use crate::TableName;
use crate::postgres::quoted;

/// An index that costs and does not serve, or is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexFinding {
    /// The index; of a missing one the name that it gets.
    pub index: TableName,
    /// What is wrong with it.
    pub fault: IndexFault,
    /// Its size; of a missing one, and of one whose build failed where that is more, what it would take, zero where nobody can
    /// tell.
    pub bytes: u64,
    /// Why nothing is done about it; none for a step.
    pub hold: Option<IndexHold>,
}

/// What is wrong with an index.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexFault {
    /// What a failed REINDEX CONCURRENTLY left.
    Leftover,
    /// A failed build: it is kept up to date and never used.
    Invalid,
    /// Another is the same.
    Duplicate {
        /// That one, which stays.
        of: TableName,
    },
    /// Another begins with the same keys.
    Redundant {
        /// That one.
        beside: TableName,
    },
    /// Nobody has scanned it.
    Unused,
    /// A new one would be smaller.
    Bloated {
        /// It would take so many bytes.
        needed: u64,
        /// Whether its pages were read, or only the planner's statistics.
        is_measured: bool,
    },
    /// A foreign key has none: each deletion in the table that it refers to reads the whole one that refers.
    Missing {
        /// The constraint, as the catalog has it.
        key: String,
        /// The table that refers, as SQL has it.
        table: String,
        /// Its columns, as the catalog has them.
        columns: Vec<String>,
    },
    /// A statement lacks one: it reads the whole table for few rows, again and again.
    Scanned {
        /// The table, as SQL has it.
        table: String,
        /// The columns, as the catalog has them.
        columns: Vec<String>,
        /// So often, since statements are counted.
        calls: u64,
        /// The planner's cost without the index and with it, where it was asked.
        costs: Option<(u64, u64)>,
    },
}

/// Why nothing is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexHold {
    /// Only a person can tell whether it should be.
    Undecided,
    /// The policy does not ask for it.
    NotAskedFor,
    /// Its bloat is estimated and not measured, and the policy asks for that.
    NotMeasured,
    /// The new index would take more than the policy allows.
    TooLarge {
        /// So much is allowed.
        bytes_max: u64,
    },
    /// Nobody can tell how large the new index would be.
    UnknownSize,
    /// Whether the planner would use it nobody asked.
    NotTried,
    /// The planner's cost would not fall as far as the policy wants.
    GainsLittle,
    /// On a partitioned table no index is built while others write.
    Partitioned,
    /// Another session builds an index in this database.
    OthersBuild,
}

impl IndexFinding {
    /// The statement that mends it; none for what only a person can decide.
    #[must_use]
    pub fn statement(&self) -> Option<String> {
        let index = &self.index;
        match &self.fault {
            IndexFault::Invalid | IndexFault::Bloated { .. } => {
                Some(format!("REINDEX INDEX CONCURRENTLY {index}"))
            }
            IndexFault::Unused => None,
            IndexFault::Leftover | IndexFault::Duplicate { .. } | IndexFault::Redundant { .. } => {
                Some(format!("DROP INDEX CONCURRENTLY {index}"))
            }
            IndexFault::Missing { table, columns, .. } | IndexFault::Scanned { table, columns, .. } => {
                let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
                // The schema is the table's: none may stand here.
                let name = quoted(index.table());
                Some(format!("CREATE INDEX CONCURRENTLY {name} ON {table} ({})", columns.join(", ")))
            }
        }
    }

    /// What the disk needs beside what is there, in bytes, until it is done.
    #[must_use]
    pub fn builds_bytes(&self) -> u64 {
        match self.fault {
            IndexFault::Bloated { needed, .. } => needed,
            IndexFault::Invalid | IndexFault::Missing { .. } | IndexFault::Scanned { .. } => self.bytes,
            _ => 0,
        }
    }

    /// Whether it builds an index, or takes away what may be a part of somebody's build.
    pub(super) fn touches_builds(&self) -> bool {
        matches!(self.fault, IndexFault::Leftover | IndexFault::Invalid | IndexFault::Bloated { .. })
            || self.fault.lacks().is_some()
    }
}

impl IndexFault {
    /// The table and the columns of an index that is not there.
    pub(super) fn lacks(&self) -> Option<(&str, &[String])> {
        match self {
            Self::Missing { table, columns, .. } | Self::Scanned { table, columns, .. } => {
                Some((table, columns))
            }
            _ => None,
        }
    }
}

impl fmt::Display for IndexFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leftover => f.write_str("a failed REINDEX left it"),
            Self::Invalid => f.write_str("its build failed; it is written and never read"),
            Self::Duplicate { of } => write!(f, "{of} is the same"),
            Self::Redundant { beside } => write!(f, "{beside} begins with the same keys"),
            Self::Unused => {
                f.write_str("nobody here has scanned it; look at the standbys before it is dropped")
            }
            Self::Bloated { needed, is_measured } => {
                let how = if *is_measured { "measured" } else { "estimated" };
                write!(f, "a new one would take {needed} bytes ({how}), beside it until it is done")
            }
            Self::Missing { key, table, .. } => write!(f, "the foreign key {key} of {table} has no index"),
            Self::Scanned { table, columns, calls, costs } => {
                let columns = columns.join(", ");
                write!(f, "{calls} times {table} was read as a whole for few rows by {columns}")?;
                let Some((before, after)) = costs else { return Ok(()) };
                write!(f, "; the planner's cost would fall from {before} to {after}")
            }
        }
    }
}

impl fmt::Display for IndexHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecided => f.write_str("a person has to decide"),
            Self::NotAskedFor => f.write_str("the policy does not ask for it"),
            Self::NotMeasured => f.write_str("an estimate is not enough; CREATE EXTENSION pgstattuple"),
            Self::TooLarge { bytes_max } => write!(f, "at most {bytes_max} bytes may be built"),
            Self::UnknownSize => f.write_str("nobody can tell how large it would be; ANALYZE the table"),
            Self::NotTried => f.write_str(
                "nobody could ask the planner whether it would use it; what was not seen tells why",
            ),
            Self::GainsLittle => f.write_str("the policy wants the cost to fall further"),
            Self::Partitioned => f.write_str("its table is partitioned; build it partition by partition"),
            Self::OthersBuild => f.write_str("another session builds an index"),
        }
    }
}
