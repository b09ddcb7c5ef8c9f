//! What is known of the faults of the dependencies.

mod cargo_scanner;
mod command_scanner;
mod dependency_audit;
mod finding;
mod plan;
mod policy;
mod registry_index;
mod scan;
mod scanner_output;

#[cfg(test)]
mod tests;

pub use cargo_scanner::CargoScanner;
pub use command_scanner::CommandScanner;
pub use dependency_audit::DependencyAudit;
pub use finding::{AdvisorySeverity, DependencyFinding, DependencyFlaw};
pub use plan::{AuditReport, ExcusedFinding, judge_dependencies};
pub use policy::{AuditPolicy, IgnoredAdvisory};
pub use scan::{AuditFacts, DependencyScan, DependencyScanner};
