//! One run, as the history keeps it.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Figures, Stop};

/// So much of a plan's or an error's text is kept: 64 runs stay far below what one document may hold.
const TEXT_BYTES_MAX: usize = 2_000;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ChoreOutcome {
    /// All was done, and a second look found nothing more to do.
    Finished,
    /// All was done that could be, and a second look found that it did not help.
    Ineffective {
        /// What is left, or what is in the way.
        reason: String,
    },
    /// It stopped before its end.
    Stopped(Stop),
    /// It failed.
    Failed {
        /// Why.
        error: String,
    },
    /// Its process died.
    Abandoned,
}

impl ChoreOutcome {
    /// Whether the run came to its end, helpful or not.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Finished | Self::Ineffective { .. })
    }

    /// A short stable name, used as a label in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Ineffective { .. } => "ineffective",
            Self::Stopped(_) => "stopped",
            Self::Failed { .. } => "failed",
            Self::Abandoned => "abandoned",
        }
    }

    pub(super) fn ineffective(reason: &str) -> Self {
        Self::Ineffective { reason: shortened(reason) }
    }

    pub(super) fn failed(error: &str) -> Self {
        Self::Failed { error: shortened(error) }
    }
}

impl fmt::Display for ChoreOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("finished"),
            Self::Ineffective { reason } => write!(f, "done without the wanted effect: {reason}"),
            Self::Stopped(stop) => write!(f, "stopped: {stop}"),
            Self::Failed { error } => write!(f, "failed: {error}"),
            Self::Abandoned => f.write_str("abandoned: its process died"),
        }
    }
}

/// One run, as the history keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChoreRecord {
    /// Unique to this run.
    pub id: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended, or when it was found abandoned.
    pub ended_at: DateTime<Utc>,
    /// The plan it carried out, as its dry run prints it, shortened.
    pub plan: String,
    /// How it ended.
    pub outcome: ChoreOutcome,
    /// What it did.
    pub figures: Figures,
    /// The epoch of the lease it ran under.
    pub epoch: u64,
}

impl ChoreRecord {
    /// How long it took.
    #[must_use]
    pub fn took(&self) -> TimeDelta {
        self.ended_at - self.started_at
    }
}

impl ChoreRecord {
    /// Whether it came to its end and did nothing that anybody has to know of.
    pub(super) fn is_idle(&self) -> bool {
        let Figures { work, steps, notes, .. } = &self.figures;
        self.outcome.is_complete() && *work == 0 && *steps == 0 && notes.is_empty()
    }
}

impl fmt::Display for ChoreRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { work, steps, longest_lock, .. } = &self.figures;
        write!(f, "{}; {work} in {steps} steps, longest lock {} ms", self.outcome, longest_lock.as_millis())
    }
}

pub(super) fn shortened(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(TEXT_BYTES_MAX)])
}
