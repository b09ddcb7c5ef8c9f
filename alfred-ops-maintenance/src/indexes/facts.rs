//! What a look at the indexes finds.

use std::time::Duration;

use crate::TableName;

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
            is_needed: false,
            is_valid: true,
            is_being_built: false,
            is_owner: true,
            scans: 1,
            bytes: 0,
        }
    }
}
