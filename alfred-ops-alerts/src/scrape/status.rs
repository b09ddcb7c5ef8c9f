//! How scraping a target goes.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Whether a target answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetHealth {
    /// It has not been asked yet.
    #[default]
    Unknown,
    /// Its last page was read.
    Up,
    /// Its last page could not be read.
    Down,
}

/// How scraping a target goes.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct TargetStatus {
    /// The target's job.
    pub job: String,
    /// The target's instance.
    pub instance: String,
    /// Where it is read: a URL without credentials, or the name of a source in this process.
    pub address: String,
    /// Whether it answers.
    pub health: TargetHealth,
    /// When it was last asked.
    pub last_scrape: Option<DateTime<Utc>>,
    /// How long that took.
    pub last_duration: Duration,
    /// How many samples its last page had.
    pub samples: usize,
    /// How many samples of its last page the store refused.
    pub refused: usize,
    /// Why its last page could not be read: one line with the address and, for a malformed page, the line.
    pub last_error: Option<String>,
    /// How many times in a row it could not be read.
    pub failures_in_a_row: u64,
}
