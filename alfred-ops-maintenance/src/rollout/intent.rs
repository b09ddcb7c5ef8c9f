//! A change of the target, written down before it is made.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{RolloutState, TargetView, TrafficSplit};

/// A change of the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RolloutAction {
    /// Make the candidate, without traffic.
    Create,
    /// Give the candidate the share of a step.
    Shift {
        /// Which step, from 0.
        step: usize,
        /// The split.
        split: TrafficSplit,
    },
    /// Give the stable revision everything back.
    Return {
        /// The split.
        split: TrafficSplit,
    },
    /// Remove a revision without traffic.
    Retire {
        /// Which.
        revision: String,
    },
}

impl fmt::Display for RolloutAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => f.write_str("make the candidate"),
            Self::Shift { split, .. } | Self::Return { split } => write!(f, "give {split}"),
            Self::Retire { revision } => write!(f, "remove {revision}"),
        }
    }
}

/// A change of the target that may have happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RolloutIntent {
    /// Which.
    pub action: RolloutAction,
    /// The target's version that it was decided on.
    pub version: String,
    /// The splits that the target may have if it has not happened: the recorded one, and those of earlier changes of which
    /// nobody knows whether they happened.
    pub before: Vec<TrafficSplit>,
    /// When it was first made.
    pub begun_at: DateTime<Utc>,
    /// When it was last made: what takes time is made again and again until it is there.
    pub made_at: DateTime<Utc>,
    /// When it last waited for work to end: what starts has its time from then on.
    #[serde(default)]
    pub(super) rested_at: Option<DateTime<Utc>>,
}

impl RolloutIntent {
    pub(super) const fn new(action: RolloutAction, version: String, now: DateTime<Utc>) -> Self {
        Self { action, version, before: Vec::new(), begun_at: now, made_at: now, rested_at: None }
    }

    /// The split after it, if it changes the split.
    pub(super) const fn after(&self) -> Option<&TrafficSplit> {
        match &self.action {
            RolloutAction::Shift { split, .. } | RolloutAction::Return { split } => Some(split),
            RolloutAction::Create | RolloutAction::Retire { .. } => None,
        }
    }

    /// Whether the target looks as if it had happened.
    pub(super) fn has_happened(&self, state: &RolloutState, view: &TargetView) -> bool {
        match &self.action {
            RolloutAction::Create => view
                .revisions
                .get(&state.release.revision)
                .is_some_and(|candidate| candidate.image == state.release.image),
            RolloutAction::Shift { split, .. } | RolloutAction::Return { split } => {
                view.split.as_ref() == Some(split) && view.under_way.is_none()
            }
            RolloutAction::Retire { revision } => !view.revisions.contains_key(revision),
        }
    }
}
