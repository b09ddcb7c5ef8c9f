//! One thing that a rollout does, and why.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{RolloutAction, RolloutEnd};

/// What a rollout does next, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RolloutDecision {
    /// What.
    pub step: RolloutStep,
    /// Why, for people.
    pub reason: String,
}

/// One thing that a rollout does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RolloutStep {
    /// Nothing before this time.
    Wait {
        /// When.
        until: DateTime<Utc>,
    },
    /// Ask the staging check.
    CheckStaging,
    /// Ask the gates.
    AskGates,
    /// Ask the analyses.
    Analyse,
    /// Write the intent down, then change the target.
    Change(RolloutAction),
    /// Write down that the intended change was seen.
    Record,
    /// Write down that the candidate is the current revision.
    Promote,
    /// Write down that it rests.
    Pause,
    /// Write down that it goes back.
    RollBack,
    /// Write down that it is over.
    End(RolloutEnd),
    /// It is over.
    Nothing,
}

impl fmt::Display for RolloutDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            RolloutStep::Wait { until } => write!(f, "wait until {until}")?,
            RolloutStep::CheckStaging => f.write_str("ask the staging check")?,
            RolloutStep::AskGates => f.write_str("ask the gates")?,
            RolloutStep::Analyse => f.write_str("ask the analyses")?,
            RolloutStep::Change(action) => write!(f, "{action}")?,
            RolloutStep::Record => f.write_str("record what was done")?,
            RolloutStep::Promote => f.write_str("promote")?,
            RolloutStep::Pause => f.write_str("pause")?,
            RolloutStep::RollBack => f.write_str("roll back")?,
            RolloutStep::End(_) | RolloutStep::Nothing => f.write_str("end")?,
        }
        write!(f, ": {}", self.reason)
    }
}
