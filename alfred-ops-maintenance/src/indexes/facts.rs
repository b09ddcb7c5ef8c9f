//! What a look at the indexes finds.

use std::time::Duration;

use crate::{ForeignKeyView, Gap, TableName, WantedIndex};

/// What a look at the indexes finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexFacts {
    /// The role that looked.
    pub role: String,
    /// All indexes of the database but the server's own, oldest first: ten thousand at most.
    pub indexes: Vec<IndexView>,
    /// For how long scans have been counted.
    pub counted_for: Duration,
    /// Builds of others in this database that are under way.
    pub builds: u64,
    /// Foreign keys, where somebody looked.
    pub foreign_keys: Vec<ForeignKeyView>,
    /// Indexes that statements lack which read whole tables, where somebody looked.
    pub wanted: Vec<WantedIndex>,
    /// What was not seen.
    pub gaps: Vec<Gap>,
}

/// What is known of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexView {
    /// Its name.
    pub name: TableName,
    /// Its table, as SQL has it.
    pub table: String,
    /// What its keys are: one text each, the column or expression with operator class, collation and order. The method and
    /// the predicate belong to each, so that keys of different kinds are never equal.
    pub keys: Vec<String>,
    /// Further columns that it carries.
    pub included: Vec<String>,
    /// Whether a prefix of its keys serves as well: only in a B-tree.
    pub is_btree: bool,
    /// Whether it allows each key once.
    pub is_unique: bool,
    /// Whether that holds for NULL as well.
    pub is_nulls_not_distinct: bool,
    /// Whether that holds at each row, or only at the end of a statement or transaction: then `ON CONFLICT` has no use for it.
    pub is_immediate: bool,
    /// Whether a constraint, the replica's identity or the table's order stands on it.
    pub is_needed: bool,
    /// Whether it may be used.
    pub is_valid: bool,
    /// Whether somebody builds it now.
    pub is_being_built: bool,
    /// Whether the role may change it.
    pub is_owner: bool,
    /// Scans since they are counted.
    pub scans: u64,
    /// Its size.
    pub bytes: u64,
    /// Its number in the catalog.
    pub oid: u32,
    /// What it would take if it was built anew: of larger B-trees, where somebody looked, and of those that are not valid.
    pub rebuilt: Option<RebuiltSize>,
}

/// What an index would take if it was built anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RebuiltSize {
    /// So many bytes.
    pub bytes: u64,
    /// Whether its pages were read, or only the planner's statistics.
    pub is_measured: bool,
}

impl RebuiltSize {
    /// A size.
    #[must_use]
    pub const fn new(bytes: u64, is_measured: bool) -> Self {
        Self { bytes, is_measured }
    }
}

impl IndexView {
    /// A valid B-tree of such keys.
    #[must_use]
    pub fn new(name: TableName, table: impl Into<String>, keys: Vec<String>) -> Self {
        Self {
            name,
            table: table.into(),
            keys,
            included: Vec::new(),
            is_btree: true,
            is_unique: false,
            is_nulls_not_distinct: false,
            is_immediate: true,
            is_needed: false,
            is_valid: true,
            is_being_built: false,
            is_owner: true,
            scans: 1,
            bytes: 0,
            oid: 0,
            rebuilt: None,
        }
    }
}
