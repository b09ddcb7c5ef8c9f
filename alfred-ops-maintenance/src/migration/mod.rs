//! Changes of the schema: what is dangerous about one before it runs, and how it runs.

#[cfg(feature = "postgres")]
mod compatibility;
#[cfg(feature = "migration-lint")]
mod lint;
#[cfg(feature = "postgres")]
mod runner;

#[cfg(feature = "postgres")]
pub use compatibility::{
    Application, Compatibility, CompatibilityFault, CompatibilityFinding, CompatibilityReport,
};
#[cfg(feature = "migration-lint")]
pub use lint::{MigratedDomain, MigratedTable, MigrationFinding, MigrationLint, MigrationRisk};
#[cfg(feature = "postgres")]
pub use runner::{MigrationPlan, MigrationReport, MigrationRunner};
