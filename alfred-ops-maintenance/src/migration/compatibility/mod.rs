//! Whether the old and the new application can work with a new schema.

#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod compatibility;
mod inserts;
mod report;
mod schema;
mod scratch;

pub use compatibility::Compatibility;
pub use report::{Application, CompatibilityFault, CompatibilityFinding, CompatibilityReport};
