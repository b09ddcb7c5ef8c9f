//! What is known of tables, their columns, and how they are used.

use chrono::{DateTime, Utc};

use super::size_estimate::{index_bytes, table_bytes};

/// A table with its figures.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct TableView {
    /// Its name, as SQL has it.
    pub name: String,
    /// Its schema, as the catalog has it.
    pub schema: String,
    /// Whether the role may build an index on it.
    pub may_build: bool,
    /// Its size without indexes and TOAST.
    pub bytes: u64,
    /// Rows at the last VACUUM or ANALYZE; none if there was neither.
    pub rows: Option<u64>,
    /// Rows that died and were not removed.
    pub dead: u64,
    /// How full pages are made, in percent.
    pub fill_factor: u8,
    /// Its columns, in order; empty for tables that are too small to matter.
    pub columns: Vec<ColumnView>,
    /// Scans of the whole table since they are counted,
    pub seq_scans: u64,
    /// and rows read by them.
    pub seq_rows: u64,
    /// Rows written, changed or deleted since they are counted.
    pub writes: u64,
    /// Whether autovacuum may work on it.
    pub autovacuum: bool,
    /// From so many dead rows on autovacuum begins.
    pub vacuum_from: u64,
    /// When it was last vacuumed, by anybody.
    pub vacuumed_at: Option<DateTime<Utc>>,
    /// Whether the planner has statistics about it, or needs none.
    pub has_statistics: bool,
    /// What kind of table it is, as `pg_class` has it: `r`, `m`, `p`, `f`.
    pub kind: char,
    /// The share of it that is neither rows nor dead rows, if that was measured.
    pub free_share: Option<f64>,
}

impl TableView {
    /// What it would take if it was written anew with its dead rows, in bytes, by the planner's statistics; none without.
    ///
    /// Measured on servers of Postgres 15, 17 and 18, with tables of narrow, wide, null, TOASTed, repeated and loosely packed
    /// rows that were emptied by 0, 20, 50 and 80 %: the share that a rewrite would save is told to within 5 percentage
    /// points, and the free space that `pgstattuple` reads to within 9. That counts the pointers of removed rows as used.
    #[must_use]
    pub fn estimated_bytes(&self) -> Option<u64> {
        let rows = Some(self.rows?.saturating_add(self.dead));
        table_bytes(&Self { rows, ..self.clone() })
    }
}

/// A column, or a key of an index.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ColumnView {
    /// Its name, as the catalog has it.
    pub name: String,
    /// The mean width of values that are not null; none if there are no statistics, or it is dropped.
    pub width: Option<f64>,
    /// The share of nulls.
    pub null_share: f64,
    /// How many values there are: a count, or a share of the rows if negative. As `pg_stats` has it.
    pub distinct: f64,
    /// At multiples of so many bytes.
    pub align: u8,
    /// Whether its values differ in length.
    pub is_varying: bool,
    /// Whether an index that all rows are in begins with it.
    pub leads_index: bool,
}

/// The size of a B-tree.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct IndexSize {
    /// Its name, as SQL has it.
    pub name: String,
    /// Its number in the catalog.
    pub oid: u32,
    /// Its size.
    pub bytes: u64,
    /// Rows that it holds.
    pub rows: Option<u64>,
    /// How full pages are made, in percent.
    pub fill_factor: u8,
    /// Its keys and what it carries.
    pub keys: Vec<ColumnView>,
    /// Whether equal keys are kept once, with a list of their rows.
    pub is_deduplicated: bool,
    /// The share of it that a rebuilt index would not need, if that was measured.
    pub waste_share: Option<f64>,
}

impl IndexSize {
    /// What it would take if it was built anew, in bytes, by the planner's statistics; none without.
    ///
    /// Measured as [`TableView::estimated_bytes`], by building the indexes anew: the share saved is told to within 5
    /// percentage points. All of it rests on the planner's number of distinct values, which was right there.
    #[must_use]
    pub fn estimated_bytes(&self) -> Option<u64> {
        index_bytes(self)
    }
}

/// A statement as `pg_stat_statements` has it.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct StatementView {
    /// Its text with constants taken out; the first 4,000 bytes.
    pub text: String,
    /// How often it was called.
    pub calls: u64,
    /// Rows it returned or changed in all.
    pub rows: u64,
    /// Blocks it read in all, from the cache or the disk.
    pub blocks: u64,
    /// Milliseconds in all.
    pub millis: f64,
}

/// A foreign key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignKeyView {
    /// The constraint, as the catalog has it.
    pub name: String,
    /// The table that refers, as SQL has it.
    pub table: String,
    /// Its schema, as the catalog has it.
    pub schema: String,
    /// Its columns, as SQL has them.
    pub columns: Vec<String>,
    /// The size of that table.
    pub bytes: u64,
    /// The table that is referred to, as SQL has it.
    pub referenced: String,
    /// Rows that were deleted there since they are counted.
    pub deletes: u64,
    /// Rows that were changed there since they are counted.
    pub updates: u64,
    /// Indexes of the table that refers which find its rows by the key: valid, led by the columns, holding all rows that
    /// refer.
    pub indexes: Vec<String>,
    /// Whether such an index is there and not valid: somebody builds it, or its build failed.
    pub is_begun: bool,
    /// Whether the table that refers is partitioned: no index is built on it while others write.
    pub is_partitioned: bool,
    /// Whether the role may build an index there.
    pub may_build: bool,
    /// What an index on the columns would take, in bytes, where that can be told.
    pub index_bytes: Option<u64>,
}

/// A sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SequenceView {
    /// Its name, as SQL has it.
    pub name: String,
    /// What it gave out last; none if nothing yet.
    pub last: Option<i64>,
    /// Where it starts again,
    pub min: i64,
    /// and ends.
    pub max: i64,
    /// Its step; a negative one goes down.
    pub step: i64,
    /// Whether it starts again at its end.
    pub cycles: bool,
    /// The column that it fills, as SQL has it.
    pub column: Option<String>,
    /// The least and the greatest value that fits into the column.
    pub column_bounds: Option<(i64, i64)>,
    /// Whether the column alone is unique.
    pub is_key: bool,
}
