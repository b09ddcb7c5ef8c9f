//! Splits that take time.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::decision::{LOOK_MAX, Look, decide};
use super::state::later;
use super::{RolloutDecision, RolloutStep};

/// What had work rest lapses within a minute: it goes on for at least as long again.
const GOES_ON_MIN: Duration = Duration::from_secs(120);

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
        let since = intent.begun_at.max(intent.rested_at.unwrap_or(intent.begun_at));
        let late = later(since, self.policy.start_within) <= self.now;
        let stuck = late && matches!(rest, UnderWay::Starts(_)) && self.state.paused.is_none();
        let reason = || format!("not there within {:?}: {rest}", self.policy.start_within);
        stuck.then(|| decide(RolloutStep::RollBack, reason()))
    }

    /// Work rests for too long already: somebody decides when it may rest again.
    pub(super) fn held_too_long(&self) -> Option<RolloutDecision> {
        let (intent, rest) = (self.state.intent.as_ref()?, self.view.under_way.as_ref()?);
        let rests = matches!(rest, UnderWay::Waits(_)) && self.state.paused.is_none();
        let too_long = rests && later(intent.begun_at, self.policy.rests_within) <= self.now;
        let reason = || {
            let within = self.policy.rests_within;
            format!(
                "work was to rest for no more than {within:?}, and goes on: {rest}; resume once what holds it up is over, or abort"
            )
        };
        too_long.then(|| decide(RolloutStep::Pause, reason()))
    }

    /// Until when a way back that had work rest for too long lets it go on, if it does now.
    pub(super) fn work_goes_on_until(&self) -> Option<DateTime<Utc>> {
        let intent = self.state.intent.as_ref()?;
        if !matches!(self.view.under_way, Some(UnderWay::Waits(_))) {
            return None;
        }
        let (rests, goes_on) = (self.policy.rests_within, (self.policy.rests_within / 4).max(GOES_ON_MIN));
        let round = (rests + goes_on).as_secs().max(1);
        let passed = (self.now - intent.begun_at).to_std().unwrap_or_default().as_secs();
        let rounds = Duration::from_secs(passed - passed % round);
        let (over, next) = (rounds + rests, rounds + rests + goes_on);
        (later(intent.begun_at, over) <= self.now).then(|| later(intent.begun_at, next))
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
