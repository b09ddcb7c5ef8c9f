//! Which rows are kept, and how gently the others go.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};
use chrono::{DateTime, TimeDelta, Utc};

use super::ThrottlePolicy;
use crate::TableName;
use crate::postgres::check_identifier;

/// The largest batch: more rows hold their locks too long.
const BATCH_ROWS_MAX: u32 = 100_000;

/// Which rows are kept, and how gently the others go.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RetentionPolicy {
    /// The table.
    pub table: TableName,
    /// Its column of type `timestamptz` that tells a row's age. It should lead an index.
    pub column: String,
    /// Younger rows are kept.
    pub keep: Duration,
    /// Rows removed by one statement, at most: how many it is follows from how long they take.
    pub batch_rows: u32,
    /// When to be slower.
    pub throttle: ThrottlePolicy,
}

impl RetentionPolicy {
    /// Keeps rows of `table` for `keep`, by `column`; at most 20,000 rows at once.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a column that is no identifier.
    pub fn new(table: TableName, column: impl Into<String>, keep: Duration) -> Result<Self> {
        let column = column.into();
        check_identifier("column", &column)?;
        Ok(Self { table, column, keep, batch_rows: 20_000, throttle: ThrottlePolicy::default() })
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

    /// Slower at other times.
    #[must_use]
    pub fn with_throttle(mut self, throttle: ThrottlePolicy) -> Self {
        self.throttle = throttle;
        self
    }

    /// Rows before this time go. A span too long to subtract keeps everything.
    #[must_use]
    pub fn cutoff(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let keep = TimeDelta::from_std(self.keep).ok();
        keep.and_then(|keep| now.checked_sub_signed(keep)).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}
