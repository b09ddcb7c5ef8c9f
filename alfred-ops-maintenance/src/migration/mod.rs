//! Changes of the schema: what is dangerous about one before it runs, and how it runs.

#[cfg(feature = "migration-lint")]
mod lint;
#[cfg(feature = "postgres")]
mod runner;

#[cfg(feature = "migration-lint")]
pub use lint::{MigratedTable, MigrationFinding, MigrationLint, MigrationRisk};
#[cfg(feature = "postgres")]
pub use runner::{MigrationPlan, MigrationReport, MigrationRunner};
