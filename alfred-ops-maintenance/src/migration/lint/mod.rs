//! What is dangerous about a migration.

mod added_columns;
mod advice;
mod dangers;
mod finding;
#[cfg(feature = "postgres")]
mod live_facts;
mod migrated_table;
mod migration_lint;
mod statement;
#[cfg(test)]
mod tests;
mod type_change;

pub use finding::{MigrationFinding, MigrationRisk};
pub use migrated_table::MigratedTable;
pub use migration_lint::MigrationLint;
