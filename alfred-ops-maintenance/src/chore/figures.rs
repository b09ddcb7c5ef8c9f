//! What a run did, in numbers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// So many notes are kept of a run.
pub(super) const NOTES_MAX: usize = 20;

/// What a run did, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Figures {
    /// Rows, bytes or tables: what the chore counts.
    pub work: u64,
    /// In so many steps.
    pub steps: u64,
    /// The longest time for which one step kept its locks.
    pub longest_lock: Duration,
    /// What is worth knowing beside the plan, in lines; at most twenty.
    pub notes: Vec<String>,
    /// The steps that were cut off because the run's time was over. The next run does them last, so that none of them keeps
    /// others from being done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut_off: Vec<String>,
}
