//! Which rows are kept, and how gently the others go.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};

use super::TableName;
use super::table_name::check_identifier;

/// The largest batch: more rows hold their locks too long.
const BATCH_ROWS_MAX: u32 = 100_000;

/// Which rows are kept, and how gently the others go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetentionPolicy {
    /// The table.
    pub table: TableName,
    /// Its column of type `timestamptz` that tells a row's age. It should lead an index.
    pub column: String,
    /// Younger rows are kept.
    pub keep: Duration,
    /// Rows removed by one statement.
    pub batch_rows: u32,
    /// The rest between two batches, for the application and autovacuum.
    pub pause: Duration,
}

impl RetentionPolicy {
    /// Keeps rows of `table` for `keep`, by `column`; 2,000 rows at once, 20 ms apart.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a column that is no identifier.
    pub fn new(table: TableName, column: impl Into<String>, keep: Duration) -> Result<Self> {
        let column = column.into();
        check_identifier("column", &column)?;
        Ok(Self { table, column, keep, batch_rows: 2_000, pause: Duration::from_millis(20) })
    }

    /// The brief's rule: `processed_msgs` are kept for 48 hours by `processed_at`.
    #[must_use]
    #[expect(clippy::expect_used, reason = "two constant names, which a test checks")]
    pub fn processed_msgs() -> Self {
        let table = "public.processed_msgs".parse().expect("a constant name");
        Self::new(table, "processed_at", Duration::from_secs(48 * 3600)).expect("a constant name")
    }

    /// Another size of batches.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] unless it is 1 to 100,000.
    pub fn with_batch_rows(mut self, batch_rows: u32) -> Result<Self> {
        if !(1..=BATCH_ROWS_MAX).contains(&batch_rows) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "read retention policy",
                format!("batch_rows: {batch_rows} is not within 1 and {BATCH_ROWS_MAX}"),
            ));
        }
        self.batch_rows = batch_rows;
        Ok(self)
    }

    /// Another rest between batches.
    #[must_use]
    pub fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }
}
