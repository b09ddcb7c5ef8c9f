//! How one job is run.

use std::time::Duration;

use crate::{Criticality, MissedRuns};

/// How the host wants one job to be run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobOptions {
    /// What becomes of slots that nobody could run at their time.
    pub missed: MissedRuns,
    /// A run is cancelled after this long and counts as timed out. None for no limit.
    pub time_limit: Option<Duration>,
    /// What the job's failure means for the host.
    pub criticality: Criticality,
    /// The leading replica counts as degraded if no run ended for so long. None to expect nothing.
    pub silent_after: Option<Duration>,
    /// How many runs the history keeps: at most 250, so that a job's document stays small.
    pub history_max: usize,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            missed: MissedRuns::default(),
            time_limit: None,
            criticality: Criticality::default(),
            silent_after: None,
            history_max: 64,
        }
    }
}

impl JobOptions {
    /// Another treatment of missed slots.
    #[must_use]
    pub fn with_missed(mut self, missed: MissedRuns) -> Self {
        self.missed = missed;
        self
    }

    /// At most this long per run.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// What the job's failure means for the host.
    #[must_use]
    pub fn with_criticality(mut self, criticality: Criticality) -> Self {
        self.criticality = criticality;
        self
    }

    /// Degraded if no run ended for so long.
    #[must_use]
    pub fn with_silent_after(mut self, silence: Duration) -> Self {
        self.silent_after = Some(silence);
        self
    }

    /// Another length of the history.
    #[must_use]
    pub fn with_history_max(mut self, runs: usize) -> Self {
        self.history_max = runs;
        self
    }
}
