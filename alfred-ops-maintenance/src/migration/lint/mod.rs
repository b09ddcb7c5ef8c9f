//! What is dangerous about a migration.

mod advice;
mod dangers;
mod finding;
mod migration_lint;
mod statement;
mod table_facts;
#[cfg(test)]
mod tests;
mod type_change;

pub use finding::{MigrationFinding, MigrationRisk};
pub use migration_lint::MigrationLint;
pub use table_facts::TableFacts;
