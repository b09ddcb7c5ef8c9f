//! The way back to the stable revision, and how long it may be closed. Pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::decision::{Look, decide, end};
use super::state::{later, shortened};
use super::{
    Readiness, RolloutAction, RolloutDecision, RolloutEnd, RolloutPhase, RolloutState, RolloutStep,
    TargetView, TrafficSplit, UnderWay,
};

/// Since when the stable revision is not ready to take everything back, and nothing about it gets better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClosedWay {
    since: DateTime<Utc>,
    /// What was seen of it. Something else is progress.
    seen: String,
}

impl RolloutState {
    /// Takes note of whether the way back is closed. Whether that is news.
    pub(super) fn watch_way_back(&mut self, view: &TargetView, now: DateTime<Utc>) -> bool {
        let before = self.closed.take();
        self.closed = self.closes(view).map(|seen| match &before {
            Some(known) if known.seen == seen => known.clone(),
            _ => ClosedWay { since: now, seen },
        });
        before != self.closed
    }

    /// Why the way back is closed now. One that waits for work to end is not.
    fn closes(&self, view: &TargetView) -> Option<String> {
        if !matches!(self.phase, RolloutPhase::RollingBack { .. }) {
            return None;
        }
        let unready = view.unready(&self.stable)?;
        let readiness = view.revisions.get(&self.stable).map(|stable| &stable.readiness);
        let has_failed = matches!(readiness, Some(Readiness::Failed { .. }));
        let waits = matches!(view.under_way, Some(UnderWay::Ends(_) | UnderWay::Waits(_)));
        if waits && self.is_returning() && !has_failed {
            return None;
        }
        let rest = view.under_way.as_ref().map(|rest| format!("; {rest}")).unwrap_or_default();
        Some(shortened(&format!("{unready}{rest}")))
    }

    fn is_returning(&self) -> bool {
        self.intent.as_ref().is_some_and(|intent| matches!(intent.action, RolloutAction::Return { .. }))
    }
}

impl Look<'_> {
    /// Gives the stable revision everything back, and then removes the candidate. Only a way back that is closed for long, while
    /// nothing about it gets better, is left to a person: till then it is pressed on.
    pub(super) fn rolling_back(&self, reason: &str) -> RolloutDecision {
        let (state, back) = (self.state, TrafficSplit::all(&self.state.stable));
        if self.view.split.as_ref() == Some(&back) && self.view.under_way.is_none() {
            let rolled_back = |left: String| RolloutEnd::RolledBack {
                reason: if left.is_empty() { reason.to_owned() } else { format!("{reason}; {left}") },
            };
            return self.tidy(&state.release.revision, rolled_back, reason);
        }
        let unfinished = self.unfinished().filter(|_| state.is_returning());
        if let Some(until) = self.work_goes_on_until().filter(|_| unfinished.is_some()) {
            return self.wait(until.min(self.soon()), format!("{reason}; work goes on until {until}"));
        }
        if let Some(decision) = unfinished.as_ref().and_then(|(due, _)| self.press(*due)) {
            return decision;
        }
        if let Some(closed) = &state.closed
            && self.now >= later(closed.since, self.policy.start_within)
            && let Some(unready) = self.view.unready(&state.stable)
        {
            let reason = format!("{reason}; there is no way back: {unready}");
            return end(RolloutEnd::HandedBack { reason: reason.clone() }, reason);
        }
        match (unfinished, self.view.unready(&state.stable)) {
            (Some((due, rest)), _) => self.wait(due.min(self.soon()), format!("{reason}; {rest}")),
            (None, Some(unready)) => {
                self.wait(self.soon(), format!("{reason}; the way back is closed: {unready}"))
            }
            (None, None) => decide(RolloutStep::Change(RolloutAction::Return { split: back }), reason),
        }
    }
}
