//! What is said of one rule.

use super::{Finding, Severity};

/// Whether a rule can fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Nothing speaks against it.
    CanFire,
    /// It can, but not for what it seems to be about.
    Misleading,
    /// It never does with series like these.
    CannotFire,
}

/// What is said of one rule.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The rule's group.
    pub group: String,
    /// The rule.
    pub rule: String,
    /// Its expression.
    pub expr: String,
    /// All that was found, the worst first.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Whether the rule can fire.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.findings.iter().map(|finding| finding.severity).max() {
            Some(Severity::Fatal) => Verdict::CannotFire,
            Some(Severity::Misleading) => Verdict::Misleading,
            Some(Severity::Note) | None => Verdict::CanFire,
        }
    }
}
