//! What a look at the table of tasks finds.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// What a look finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequeueFacts {
    /// When it was looked, by the host's clock. Ages are as of then.
    pub looked_at: DateTime<Utc>,
    /// What keeps it from looking or working, each with its remedy.
    pub obstacles: Vec<String>,
    /// The type of the tasks' id, as SQL has it.
    pub id_type: String,
    /// Tasks that run for longer than their timeout, oldest first: ten thousand at most.
    pub tasks: Vec<StuckTask>,
    /// Whether there may be more.
    pub is_full: bool,
}

/// A task that runs for longer than its timeout. All times are by the database's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StuckTask {
    /// Its id, as text.
    pub id: String,
    /// Whose it is.
    pub worker: Option<String>,
    /// Its epoch: another claim has another.
    pub epoch: i64,
    /// How often it was tried again.
    pub retries: i64,
    /// How often it may be.
    pub retries_max: i64,
    /// For how long it runs.
    pub runs_for: Duration,
    /// For how long it may.
    pub timeout: Duration,
    /// Since when its worker is silent; a worker that never gave a sign of life is so since the task began, and one whose
    /// successor beats under its name since that one began.
    pub silent_for: Duration,
}
