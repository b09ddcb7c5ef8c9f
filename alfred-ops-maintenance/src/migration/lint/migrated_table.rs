//! What is known of a table that a migration changes.

use std::collections::{BTreeMap, BTreeSet};

/// A table of fewer bytes is read or written anew faster than anybody notices.
pub(super) const SMALL_BYTES: u64 = 8 << 20;

/// What is known of a table that a migration changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MigratedTable {
    /// Its size with indexes, as `pg_total_relation_size` has it, together with those of its partitions and heirs.
    pub bytes: u64,
    /// The types of its columns by name, as `format_type` writes them, and ` collate …` behind where the collation is not the
    /// type's own.
    pub columns: BTreeMap<String, String>,
    /// Whether it is partitioned, whose rows are those of its partitions.
    pub is_partitioned: bool,
    /// The names of its own indexes, without the schema.
    pub indexes: BTreeSet<String>,
}

impl MigratedTable {
    /// A table of so many bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self { bytes, columns: BTreeMap::new(), is_partitioned: false, indexes: BTreeSet::new() }
    }

    /// Adds a column and its type, such as `character varying(20)`.
    #[must_use]
    pub fn with_column(mut self, name: impl Into<String>, of_type: impl Into<String>) -> Self {
        self.columns.insert(name.into(), of_type.into());
        self
    }

    /// As a partitioned table.
    #[must_use]
    pub const fn partitioned(mut self) -> Self {
        self.is_partitioned = true;
        self
    }

    /// Adds an index by its name.
    #[must_use]
    pub fn with_index(mut self, name: impl Into<String>) -> Self {
        self.indexes.insert(name.into());
        self
    }

    pub(super) const fn is_small(&self) -> bool {
        self.bytes < SMALL_BYTES
    }
}
