//! What is kept of a job's runs.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// So much of a summary or an error's text is kept: a history is read by people, details are in the log.
const TEXT_BYTES_MAX: usize = 500;

/// What made a job run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trigger {
    /// Its slot came.
    Schedule,
    /// The run before failed in a way that another run may mend.
    Retry,
    /// Somebody asked it to look.
    Wake,
    /// It is a service that was not running.
    Service,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It did its work.
    Succeeded,
    /// It returned an error or panicked.
    Failed,
    /// It was asked to stop before it was done; its slot runs again.
    Cancelled,
    /// Its process died or lost the lease; its slot runs again.
    Abandoned,
}

impl Outcome {
    /// Whether the slot is over.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    /// A short stable name, used as a label in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Abandoned => "abandoned",
        }
    }
}

/// One run, as the history keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunRecord {
    /// When it was due.
    pub slot: DateTime<Utc>,
    /// Why it ran.
    pub trigger: Trigger,
    /// How many earlier slots it stands for, which nobody ran.
    pub skipped: u64,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended, or when it was found abandoned.
    pub ended_at: DateTime<Utc>,
    /// How it ended.
    pub outcome: Outcome,
    /// What it said, shortened.
    pub summary: String,
    /// Why it failed, shortened.
    pub error: Option<String>,
    /// The epoch of the lease it ran under, where there was one.
    pub epoch: Option<u64>,
}

/// A run that was started and not yet recorded as ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// Unique to this attempt.
    pub(crate) id: String,
    pub(crate) slot: DateTime<Utc>,
    pub(crate) trigger: Trigger,
    pub(crate) skipped: u64,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) epoch: Option<u64>,
}

impl Attempt {
    pub(crate) fn ended(
        self,
        ended_at: DateTime<Utc>,
        outcome: Outcome,
        summary: &str,
        error: Option<String>,
    ) -> RunRecord {
        RunRecord {
            slot: self.slot,
            trigger: self.trigger,
            skipped: self.skipped,
            started_at: self.started_at,
            ended_at,
            outcome,
            summary: shortened(summary),
            error: error.map(|text| shortened(&text)),
            epoch: self.epoch,
        }
    }
}

fn shortened(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(TEXT_BYTES_MAX)])
}

/// A job's document: where it stands, and its last runs. One document, so that the end of a run, the
/// progress of the schedule and the history become true in one write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobState {
    /// The newest slot that is over; slots count from here.
    pub(crate) cursor: DateTime<Utc>,
    pub(crate) running: Option<Attempt>,
    /// Failures in a row.
    pub(crate) failures: u32,
    /// The next run comes no later than this, after a failure that may mend.
    pub(crate) retry_at: Option<DateTime<Utc>>,
    /// Oldest first.
    pub(crate) history: VecDeque<RunRecord>,
}

impl JobState {
    /// A job first seen at `now`: earlier slots are not its own.
    pub(crate) fn new(now: DateTime<Utc>) -> Self {
        Self { cursor: now, running: None, failures: 0, retry_at: None, history: VecDeque::new() }
    }

    /// Ends the present attempt. `retry_at` is only for failures.
    pub(crate) fn settle(&mut self, record: RunRecord, retry_at: Option<DateTime<Utc>>, history_max: usize) {
        self.running = None;
        match record.outcome {
            Outcome::Succeeded => self.failures = 0,
            Outcome::Failed => self.failures = self.failures.saturating_add(1),
            Outcome::Cancelled | Outcome::Abandoned => {}
        }
        if record.outcome.is_settled() {
            self.retry_at = retry_at;
            if record.trigger == Trigger::Schedule {
                self.cursor = self.cursor.max(record.slot);
            }
        }
        // A wake that was not served is not forgotten.
        if !record.outcome.is_settled() && record.trigger == Trigger::Wake {
            self.retry_at = Some(record.ended_at);
        }
        while self.history.len() >= history_max.max(1) {
            self.history.pop_front();
        }
        self.history.push_back(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        let text = "ü".repeat(400);
        let short = shortened(&text);
        assert!(short.len() <= TEXT_BYTES_MAX + "…".len() && short.ends_with("ü…"), "{short}");
        assert_eq!(shortened("short"), "short");
    }
}
