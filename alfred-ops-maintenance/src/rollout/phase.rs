//! Where a rollout stands, and how it ended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a rollout stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RolloutPhase {
    /// The release is to pass the staging check.
    Checking,
    /// The gates are to be open.
    Gated,
    /// The candidate is to be made.
    Creating,
    /// The candidate is to become ready.
    Starting,
    /// The candidate has the share of this step, counted from 0.
    Canary {
        /// Which step of the policy.
        step: usize,
    },
    /// The candidate is the current revision; the old one is to go.
    Promoted,
    /// All traffic goes back and the candidate goes. Nothing leads forward from here.
    RollingBack {
        /// Why.
        reason: String,
    },
    /// It is over.
    Ended(RolloutEnd),
}

/// How a rollout ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RolloutEnd {
    /// The candidate is the current revision and has all traffic.
    Promoted {
        /// What was left undone; empty if nothing.
        left: String,
    },
    /// The stable revision has all traffic.
    RolledBack {
        /// Why, and what was left undone.
        reason: String,
    },
    /// It ended before the target was touched.
    Refused {
        /// Why.
        reason: String,
    },
    /// The target is not as the rollout left it: it was not touched again, and a person decides.
    HandedBack {
        /// What was found.
        reason: String,
    },
}

impl RolloutEnd {
    /// A short stable name, used as a label.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Promoted { .. } => "promoted",
            Self::RolledBack { .. } => "rolled_back",
            Self::Refused { .. } => "refused",
            Self::HandedBack { .. } => "handed_back",
        }
    }
}

impl fmt::Display for RolloutPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checking => f.write_str("checking"),
            Self::Gated => f.write_str("waiting for gates"),
            Self::Creating => f.write_str("making the candidate"),
            Self::Starting => f.write_str("starting"),
            Self::Canary { step } => write!(f, "canary step {}", step.saturating_add(1)),
            Self::Promoted => f.write_str("promoted"),
            Self::RollingBack { reason } => write!(f, "rolling back: {reason}"),
            Self::Ended(end) => f.write_str(end.name()),
        }
    }
}
