//! Splits that take time.

use std::fmt;

use chrono::{DateTime, Utc};

use super::decision::{LOOK_MAX, Look, decide};
use super::state::later;
use super::{RolloutDecision, RolloutStep};

/// What is left to do of a split that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnderWay {
    /// Instances start that the split needs.
    Starts(String),
    /// Instances that the split does without finish their work. They end by themselves.
    Ends(String),
    /// The same, and until then nothing of the split is there: whoever is to have a share may have none yet.
    Waits(String),
}

impl fmt::Display for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starts(what) | Self::Ends(what) | Self::Waits(what) => f.write_str(what),
        }
    }
}

impl Look<'_> {
    /// When the change that is under way is made again, and what it waits for.
    pub(super) fn unfinished(&self) -> Option<(DateTime<Utc>, String)> {
        let (intent, rest) = (self.state.intent.as_ref()?, self.view.under_way.as_ref()?);
        let due = later(intent.made_at, LOOK_MAX.min(self.policy.interval));
        Some((due, format!("{}: {rest}", intent.action)))
    }

    /// Makes the change that is under way again, if that is due.
    pub(super) fn press(&self, due: DateTime<Utc>) -> Option<RolloutDecision> {
        let intent = self.state.intent.as_ref().filter(|_| due <= self.now)?;
        Some(decide(RolloutStep::Change(intent.action.clone()), "it is not all there"))
    }

    /// A change is under way for too long, and not because of work that ends.
    pub(super) fn stuck(&self) -> Option<RolloutDecision> {
        let (intent, rest) = (self.state.intent.as_ref()?, self.view.under_way.as_ref()?);
        let late = later(intent.begun_at, self.policy.start_within) <= self.now;
        let stuck = late && matches!(rest, UnderWay::Starts(_)) && self.state.paused.is_none();
        let reason = || format!("not there within {:?}: {rest}", self.policy.start_within);
        stuck.then(|| decide(RolloutStep::RollBack, reason()))
    }

    /// What is done while the first split is under way: the candidate has traffic as soon as it is ready, and is judged by it,
    /// unless all of the split waits.
    pub(super) fn first_split(&self) -> Option<RolloutDecision> {
        let (due, reason) = self.unfinished()?;
        if let Some(decision) = self.press(due) {
            return Some(decision);
        }
        let mut until = due.min(self.soon());
        let has_begun = !matches!(self.view.under_way, Some(UnderWay::Waits(_)));
        if has_begun && self.view.is_ready(&self.state.release.revision) {
            let analysis = self.analysis_due();
            if analysis <= self.now {
                return Some(decide(RolloutStep::Analyse, reason));
            }
            until = until.min(analysis);
        }
        Some(self.wait(until, reason))
    }
}
