//! What came of asking a chore to run.

use std::fmt;

use chrono::{DateTime, Utc};

use super::ChoreRecord;

/// What came of asking a chore to run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChoreRun {
    /// It ran, as far as its record says.
    Ran(ChoreRecord),
    /// It did not begin. Nothing was changed, and the history does not know of it.
    NotNow(Refusal),
}

impl ChoreRun {
    /// The record, if it ran.
    #[must_use]
    pub fn record(&self) -> Option<&ChoreRecord> {
        match self {
            Self::Ran(record) => Some(record),
            Self::NotNow(_) => None,
        }
    }
}

impl fmt::Display for ChoreRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ran(record) => write!(f, "{record}"),
            Self::NotNow(refusal) => write!(f, "not now: {refusal}"),
        }
    }
}

/// Why a chore did not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not due before this time.
    NotDue(DateTime<Utc>),
    /// Somebody paused it.
    Paused {
        /// Since when.
        since: DateTime<Utc>,
        /// Why, in his words.
        reason: String,
    },
    /// A gate is closed.
    Gate {
        /// Its name.
        gate: String,
        /// Why.
        reason: String,
    },
    /// Another chore or another host works on the target.
    Busy,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDue(time) => write!(f, "it is due at {time}"),
            Self::Paused { since, reason } => write!(f, "paused since {since}: {reason}"),
            Self::Gate { gate, reason } => write!(f, "gate {gate} is closed: {reason}"),
            Self::Busy => f.write_str("somebody else works on its target"),
        }
    }
}
