//! Changes of the schema: what is dangerous about one before it runs.

mod advice;
mod dangers;
mod finding;
mod lint;
mod statement;
mod table_facts;
#[cfg(test)]
mod tests;
mod type_change;

pub use finding::{MigrationFinding, MigrationRisk};
pub use lint::MigrationLint;
pub use table_facts::TableFacts;
