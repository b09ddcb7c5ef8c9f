//! How a rule fares.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::Error;
use chrono::{DateTime, Utc};

/// How a rule fared at its last evaluation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RuleReport {
    /// The rule's group.
    pub group: String,
    /// The rule's name.
    pub rule: String,
    /// How it fared.
    pub health: RuleHealth,
    /// What is dubious about its expression or its data, in Prometheus' words.
    pub warnings: Vec<String>,
    /// When it was last evaluated.
    pub last_evaluation: Option<DateTime<Utc>>,
    /// How long that took, by the engine's clock; without what a source takes to answer.
    pub evaluation_time: Duration,
}

/// How a rule fared.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RuleHealth {
    /// It has not been evaluated yet.
    Unknown,
    /// Its expression came to so many samples: alerts, or recorded series.
    Good {
        /// How many.
        samples: usize,
    },
    /// It could not be evaluated; its alerts stay as they were.
    Failed(Arc<Error>),
}
