//! Routine care of the platform's database, as tasks that inspect, plan, apply and check.
//!
//! The first task is retention: old rows of `processed_msgs` are removed in small batches that hold no lock
//! for long. What decides is a pure function, and a dry run prints its plan:
//!
//! ```
//! use alfred_ops_maintenance::{RetentionFacts, RetentionPolicy, plan_retention};
//! use chrono::{DateTime, TimeDelta};
//!
//! let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
//! let policy = RetentionPolicy::processed_msgs();
//! let facts = RetentionFacts { oldest: Some(now - TimeDelta::hours(50)), rows_estimate: 12_000 };
//! let plan = plan_retention(&facts, &policy, now);
//! assert_eq!(
//!     plan.to_string(),
//!     "delete from \"public\".\"processed_msgs\" where \"processed_at\" < 2024-10-02 00:00:00 UTC, \
//!      in batches of 2000 rows"
//! );
//! ```
//!
//! # Features
//! - `logs`: `RotatingLog`, the host's own log file.
//! - `migration-lint`: `MigrationLint`, which finds what is dangerous about migrations.
//! - `postgres`: `Retention`, which carries the plan out, and `MigrationRunner`.
//! - `testing-servers`: what the tests need.

#[cfg(feature = "logs")]
mod logs;
mod migration;
mod retention;

#[cfg(feature = "logs")]
pub use logs::{Compression, Handover, LogGuard, LogOptions, LogStats, RotatingLog, WhenFull};
#[cfg(feature = "migration-lint")]
pub use migration::{MigrationFinding, MigrationLint, MigrationRisk, TableFacts};
#[cfg(feature = "postgres")]
pub use migration::{MigrationPlan, MigrationReport, MigrationRunner};
#[cfg(feature = "postgres")]
pub use retention::Retention;
pub use retention::{
    RetentionFacts, RetentionPlan, RetentionPolicy, RetentionReport, TableName, plan_retention,
};
