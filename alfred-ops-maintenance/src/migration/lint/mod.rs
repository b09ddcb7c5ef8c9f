//! What is dangerous about a migration.

mod added_columns;
mod advice;
mod dangers;
mod finding;
mod known_domains;
#[cfg(feature = "postgres")]
mod live_facts;
mod migrated_domain;
mod migrated_table;
mod migration_lint;
mod mistaken;
mod partitioned;
mod statement;
#[cfg(test)]
mod tests;
mod type_change;

pub use finding::{MigrationFinding, MigrationRisk};
pub use migrated_domain::MigratedDomain;
pub use migrated_table::MigratedTable;
pub use migration_lint::MigrationLint;
