//! What a look at a database finds.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::TableName;

/// What a look at a database finds.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct VacuumFacts {
    /// The role that looked.
    pub role: String,
    /// The server's major version.
    pub version: u32,
    /// Whether the server only follows another: there is nothing to vacuum, the primary's work arrives.
    pub is_standby: bool,
    /// `autovacuum_freeze_max_age`.
    pub freeze_max_age: u64,
    /// `autovacuum_multixact_freeze_max_age`.
    pub multixact_freeze_max_age: u64,
    /// The largest ten thousand tables.
    pub tables: Vec<TableUpkeep>,
    /// What keeps dead rows from being removed, oldest first.
    pub holders: Vec<HorizonHolder>,
    /// Whether sessions of others could not be seen.
    pub is_blind: bool,
}

/// What is known of a table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TableUpkeep {
    /// Its name.
    pub name: TableName,
    /// Whether it is one of the server's own.
    pub is_catalog: bool,
    /// Whether it is the root of partitions: it has no rows of its own, and autovacuum never analyzes it.
    pub is_partitioned: bool,
    /// Rows, as statistics have them.
    pub live: u64,
    /// Dead rows.
    pub dead: u64,
    /// Rows changed since the last ANALYZE.
    pub changed: u64,
    /// With everything that belongs to it.
    pub bytes: u64,
    /// The last VACUUM, by anybody.
    pub vacuumed_at: Option<DateTime<Utc>>,
    /// The last ANALYZE, by anybody.
    pub analyzed_at: Option<DateTime<Utc>>,
    /// Transactions since its oldest unfrozen row, or that of what belongs to it.
    pub xid_age: u64,
    /// The same of multixacts.
    pub multixact_age: u64,
    /// Whether the role may vacuum it.
    pub may_vacuum: bool,
    /// Whether somebody vacuums it now.
    pub is_being_vacuumed: bool,
}

impl TableUpkeep {
    /// A table in which nothing has happened.
    #[must_use]
    pub const fn new(name: TableName) -> Self {
        Self {
            name,
            is_catalog: false,
            is_partitioned: false,
            live: 0,
            dead: 0,
            changed: 0,
            bytes: 0,
            vacuumed_at: None,
            analyzed_at: None,
            xid_age: 0,
            multixact_age: 0,
            may_vacuum: true,
            is_being_vacuumed: false,
        }
    }
}

/// What keeps dead rows from being removed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HorizonHolder {
    /// A transaction of a session.
    Session {
        /// Its process.
        pid: i64,
        /// What it says of itself: state and application.
        what: String,
        /// Transactions since its snapshot.
        age: u64,
    },
    /// A prepared transaction that nobody ended.
    Prepared {
        /// Its name.
        name: String,
        /// Transactions since then.
        age: u64,
    },
    /// A replication slot.
    Slot {
        /// Its name.
        name: String,
        /// Transactions since what it keeps.
        age: u64,
    },
    /// A standby that reports what its queries need.
    Standby {
        /// Its name.
        name: String,
        /// Transactions since their snapshot.
        age: u64,
    },
}

impl HorizonHolder {
    /// By how many transactions it holds the horizon back.
    #[must_use]
    pub const fn age(&self) -> u64 {
        match self {
            Self::Session { age, .. }
            | Self::Prepared { age, .. }
            | Self::Slot { age, .. }
            | Self::Standby { age, .. } => *age,
        }
    }
}

impl fmt::Display for HorizonHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = self.age();
        match self {
            Self::Session { pid, what, .. } => {
                write!(f, "session {pid} ({what}) holds dead rows of {age} transactions; end its transaction")
            }
            Self::Prepared { name, .. } => write!(
                f,
                "the prepared transaction {name:?} holds dead rows of {age} transactions; commit it or roll it back"
            ),
            Self::Slot { name, .. } => write!(
                f,
                "the replication slot {name:?} holds dead rows of {age} transactions; let its reader catch up, or drop it"
            ),
            Self::Standby { name, .. } => write!(
                f,
                "a query on the standby {name:?} holds dead rows of {age} transactions; end it there"
            ),
        }
    }
}
