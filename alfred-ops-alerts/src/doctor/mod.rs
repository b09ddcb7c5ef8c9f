//! Says whether rules can ever fire, and why not.

mod diagnosis;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod doctor;
mod exported;
mod finding;
mod growth;
mod lifetime;
mod matching;
mod patient;
mod patterns;
mod percent;
mod ratio;

#[cfg(test)]
mod tests;

pub use diagnosis::{Diagnosis, Verdict};
pub use doctor::Doctor;
pub use finding::{Finding, FindingKind, Severity};
