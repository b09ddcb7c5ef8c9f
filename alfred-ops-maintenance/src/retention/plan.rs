//! What would be done.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::table_name::quoted;
use super::{RetentionPolicy, TableName};

/// What a look at the table found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionFacts {
    /// The age column of the oldest row; none for an empty table.
    pub oldest: Option<DateTime<Utc>>,
    /// The table's rows as the planner's statistics have them.
    pub rows_estimate: u64,
}

/// What would be done, or why nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetentionPlan {
    /// Rows older than the cutoff go.
    Delete {
        /// From this table,
        table: TableName,
        /// by this column,
        column: String,
        /// those before this time,
        cutoff: DateTime<Utc>,
        /// so many at once.
        batch_rows: u32,
    },
    /// Nothing is old enough.
    NothingExpired {
        /// The oldest row, if there is any.
        oldest: Option<DateTime<Utc>>,
        /// Rows before this time would go.
        cutoff: DateTime<Utc>,
    },
}

/// Decides what to remove. Pure: the same facts, policy and time give the same plan.
#[must_use]
pub fn plan_retention(facts: &RetentionFacts, policy: &RetentionPolicy, now: DateTime<Utc>) -> RetentionPlan {
    // A span too long to subtract keeps everything.
    let cutoff = TimeDelta::from_std(policy.keep)
        .ok()
        .and_then(|keep| now.checked_sub_signed(keep))
        .unwrap_or(DateTime::<Utc>::MIN_UTC);
    match facts.oldest {
        Some(oldest) if oldest < cutoff => RetentionPlan::Delete {
            table: policy.table.clone(),
            column: policy.column.clone(),
            cutoff,
            batch_rows: policy.batch_rows,
        },
        oldest => RetentionPlan::NothingExpired { oldest, cutoff },
    }
}

impl fmt::Display for RetentionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delete { table, column, cutoff, batch_rows } => write!(
                f,
                "delete from {table} where {} < {cutoff}, in batches of {batch_rows} rows",
                quoted(column)
            ),
            Self::NothingExpired { oldest: Some(oldest), cutoff } => {
                write!(f, "nothing to delete: the oldest row is of {oldest}, the cutoff is {cutoff}")
            }
            Self::NothingExpired { oldest: None, .. } => f.write_str("nothing to delete: the table is empty"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn young_rows_are_never_in_a_plan(age_seconds in 0i64..400_000, keep_seconds in 0u64..400_000) {
            let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
            let mut policy = RetentionPolicy::processed_msgs();
            policy.keep = Duration::from_secs(keep_seconds);
            let oldest = now - TimeDelta::seconds(age_seconds);
            let facts = RetentionFacts { oldest: Some(oldest), rows_estimate: 1 };
            match plan_retention(&facts, &policy, now) {
                RetentionPlan::Delete { cutoff, .. } => {
                    prop_assert!(oldest < cutoff);
                    prop_assert_eq!(cutoff, now - TimeDelta::from_std(policy.keep).unwrap());
                }
                RetentionPlan::NothingExpired { .. } => prop_assert!(age_seconds.unsigned_abs() <= keep_seconds),
            }
        }
    }

    #[test]
    fn an_endless_span_keeps_everything() {
        let mut policy = RetentionPolicy::processed_msgs();
        policy.keep = Duration::MAX;
        let facts = RetentionFacts { oldest: Some(DateTime::UNIX_EPOCH), rows_estimate: 1 };
        let plan = plan_retention(&facts, &policy, DateTime::UNIX_EPOCH);
        assert!(matches!(plan, RetentionPlan::NothingExpired { .. }), "{plan}");
    }
}
