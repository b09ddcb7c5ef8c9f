//! Why a run stopped before its end.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a run stopped before its end. What it did stays done, and a later run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Stop {
    /// The host shuts down.
    Cancelled,
    /// Somebody paused the chore.
    Paused,
    /// Somebody ended this run. The next comes a period later.
    Aborted,
    /// A gate closed.
    Gate {
        /// Its name.
        gate: String,
        /// Why.
        reason: String,
    },
    /// The time of its budget was over.
    TimeSpent,
    /// The work of its budget was done.
    WorkDone,
    /// The plan was as long as a plan may be, and there is more.
    PlanFull,
    /// Another host holds the target now.
    LeaseLost,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the host shuts down"),
            Self::Paused => f.write_str("the chore was paused"),
            Self::Aborted => f.write_str("the run was aborted"),
            Self::Gate { gate, reason } => write!(f, "gate {gate} closed: {reason}"),
            Self::TimeSpent => f.write_str("its time is over"),
            Self::WorkDone => f.write_str("it has done as much as a run may"),
            Self::PlanFull => f.write_str("there is more than one plan holds"),
            Self::LeaseLost => f.write_str("another host holds the target"),
        }
    }
}
