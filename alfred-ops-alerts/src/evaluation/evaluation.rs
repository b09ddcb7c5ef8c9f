//! What an evaluation came to.

use crate::alert::{RuleReport, Transition};

/// What an evaluation came to.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Evaluation {
    /// What changed, and why.
    pub transitions: Vec<Transition>,
    /// How each rule fared.
    pub reports: Vec<RuleReport>,
}
