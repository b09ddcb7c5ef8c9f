//! How a rule fares.

use std::sync::Arc;

use alfred_ops_core::Error;

/// How a rule fared at its last evaluation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RuleReport {
    /// The rule's name.
    pub rule: String,
    /// How it fared.
    pub health: RuleHealth,
}

/// How a rule fared.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RuleHealth {
    /// It looked at readings and none met its condition.
    Quiet {
        /// How many readings it looked at.
        watched: usize,
    },
    /// Readings met its condition.
    Holding {
        /// How many readings it looked at.
        watched: usize,
        /// How many of them met its condition.
        held: usize,
    },
    /// There was nothing to look at: the rule cannot fire, for want of data or by its own fault.
    NoData,
    /// It could not be evaluated; its alerts stay as they were.
    Failed(Arc<Error>),
}
