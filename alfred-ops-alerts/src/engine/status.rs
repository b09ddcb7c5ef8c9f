//! How the engine fares.

use chrono::{DateTime, Utc};

use super::{AlertmanagerStatus, SnapshotStatus, SourceStatus, StateStatus};
use crate::alert::RuleReport;
use crate::notify::OutboxCounters;
use crate::scrape::TargetStatus;
use crate::store::StoreCounters;

/// How the engine fares: what an operator looks at when no alert comes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineStatus {
    /// How scraping each target goes.
    pub targets: Vec<TargetStatus>,
    /// How each rule fared at its last evaluation.
    pub rules: Vec<RuleReport>,
    /// How asking each query source goes.
    pub sources: Vec<SourceStatus>,
    /// How delivering to each sink goes.
    pub sinks: Vec<SinkStatus>,
    /// How telling each Alertmanager goes.
    pub alertmanagers: Vec<AlertmanagerStatus>,
    /// How keeping alerts across restarts goes, if it was asked for.
    pub state: Option<StateStatus>,
    /// How keeping samples across restarts goes, if it was asked for.
    pub snapshot: Option<SnapshotStatus>,
    /// What the store holds and has turned away.
    pub samples: StoreCounters,
    /// When the rules were last evaluated.
    pub last_evaluation: Option<DateTime<Utc>>,
}

/// How delivering to a sink goes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkStatus {
    /// The sink's name.
    pub name: String,
    /// How many notifications wait.
    pub waiting: usize,
    /// What has been delivered, retried and given up.
    pub counters: OutboxCounters,
    /// Why the last attempt failed, if it did.
    pub last_error: Option<String>,
    /// When a notification was last delivered.
    pub last_delivery: Option<DateTime<Utc>>,
}
