//! What a rollout does next. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::foreign_change::foreign_change;
use super::state::later;
use super::{
    Readiness, RolloutAction, RolloutDecision, RolloutEnd, RolloutPhase, RolloutPolicy, RolloutState,
    RolloutStep, Tally, TargetView, TrafficSplit, UnderWay, WhenSilent,
};

/// Between two looks at something that starts, at most.
pub(super) const LOOK_MAX: Duration = Duration::from_secs(10);

/// What the rollout does next, given its record, what its target shows, its policy and the time. Pure.
///
/// A target that is as before the recorded intent gets the change (again), one that is as after it gets a record of it, and one
/// that is neither was changed by somebody else: the rollout ends there and touches nothing.
#[must_use]
pub fn next_step(
    state: &RolloutState,
    view: &TargetView,
    policy: &RolloutPolicy,
    now: DateTime<Utc>,
) -> RolloutDecision {
    if state.is_over() {
        return decide(RolloutStep::Nothing, "it is over");
    }
    if let Some(intent) = &state.intent
        && intent.has_happened(state, view)
    {
        return decide(RolloutStep::Record, format!("the target shows it: {}", intent.action));
    }
    if let Some(reason) = foreign_change(state, view) {
        return end(RolloutEnd::HandedBack { reason: reason.clone() }, reason);
    }
    let look = Look { state, view, policy, now };
    match &state.phase {
        RolloutPhase::Checking => {
            look.wish(false).unwrap_or_else(|| decide(RolloutStep::CheckStaging, "it comes before all else"))
        }
        RolloutPhase::Gated => look.wish(false).unwrap_or_else(|| look.gated()),
        RolloutPhase::Creating => look
            .late()
            .or_else(|| look.wish(true))
            .unwrap_or_else(|| decide(RolloutStep::Change(RolloutAction::Create), "the release may go out")),
        RolloutPhase::Starting => look.starting(),
        RolloutPhase::Canary { step } => look.canary(*step),
        RolloutPhase::Promoted => look.promoted(),
        RolloutPhase::RollingBack { reason } => look.rolling_back(reason),
        RolloutPhase::Ended(_) => decide(RolloutStep::Nothing, "it is over"),
    }
}

pub(super) fn decide(step: RolloutStep, reason: impl Into<String>) -> RolloutDecision {
    RolloutDecision { step, reason: reason.into() }
}

pub(super) fn end(end: RolloutEnd, reason: impl Into<String>) -> RolloutDecision {
    decide(RolloutStep::End(end), reason)
}

/// All that a decision is made of.
pub(super) struct Look<'a> {
    pub(super) state: &'a RolloutState,
    pub(super) view: &'a TargetView,
    pub(super) policy: &'a RolloutPolicy,
    pub(super) now: DateTime<Utc>,
}

impl Look<'_> {
    pub(super) fn wait(&self, until: DateTime<Utc>, reason: impl Into<String>) -> RolloutDecision {
        decide(RolloutStep::Wait { until: until.max(self.now) }, reason)
    }

    pub(super) fn soon(&self) -> DateTime<Utc> {
        later(self.now, LOOK_MAX.min(self.policy.interval))
    }

    /// What somebody wishes.
    fn wish(&self, touched: bool) -> Option<RolloutDecision> {
        if let Some(reason) = &self.state.abort {
            let reason = format!("aborted: {reason}");
            return Some(if touched {
                decide(RolloutStep::RollBack, reason)
            } else {
                end(RolloutEnd::Refused { reason: reason.clone() }, reason)
            });
        }
        let pause = self.state.paused.as_ref()?;
        Some(self.wait(self.soon(), format!("paused since {}: {}", pause.since, pause.reason)))
    }

    fn gated(&self) -> RolloutDecision {
        let state = self.state;
        let reason = state.gate.clone().unwrap_or_else(|| "they come before a change".to_owned());
        if self.now >= later(state.since, self.policy.gates_within) && state.gate.is_some() {
            let reason = format!("the gates did not open in time: {reason}");
            return end(RolloutEnd::Refused { reason: reason.clone() }, reason);
        }
        match state.gates_asked.map(|asked| later(asked, LOOK_MAX.min(self.policy.interval))) {
            Some(again) if again > self.now => self.wait(again, reason),
            _ => decide(RolloutStep::AskGates, reason),
        }
    }

    /// The candidate is not there in time. A pause stops this clock.
    fn late(&self) -> Option<RolloutDecision> {
        let splits = self.state.intent.as_ref().is_some_and(|intent| intent.after().is_some());
        // Of a split that was not begun by this rollout nothing is waited for.
        let rests = splits && matches!(self.view.under_way, Some(UnderWay::Ends(_) | UnderWay::Waits(_)));
        let rested = self.state.intent.as_ref().and_then(|intent| intent.rested_at);
        let rested = rested.unwrap_or(self.state.since);
        let late = self.state.paused.is_none()
            && !rests
            && self.now >= later(self.state.since.max(rested), self.policy.start_within);
        late.then(|| {
            let why = self.view.unready(&self.state.release.revision);
            let why = why.or_else(|| self.view.unready(&self.state.stable));
            let why = why.or_else(|| self.view.under_way.as_ref().map(ToString::to_string));
            let intent = self.state.intent.as_ref();
            let why = why.or_else(|| intent.map(|intent| format!("could not {}", intent.action)));
            let why = why.unwrap_or_default();
            decide(RolloutStep::RollBack, format!("not ready within {:?}: {why}", self.policy.start_within))
        })
    }

    fn starting(&self) -> RolloutDecision {
        let candidate = &self.state.release.revision;
        if let Some(reason) = self.fault(candidate) {
            return decide(RolloutStep::RollBack, reason);
        }
        let overdue = self.failing().or_else(|| self.late()).or_else(|| self.wish(true));
        if let Some(decision) = overdue.or_else(|| self.held_too_long()) {
            return decision;
        }
        if let Some(decision) = self.first_split() {
            return decision;
        }
        match self.view.unready(candidate).or_else(|| self.view.unready(&self.state.stable)) {
            Some(reason) => self.wait(self.soon(), reason),
            None => self.shift(0, format!("{candidate} is ready")),
        }
    }

    fn fault(&self, revision: &str) -> Option<String> {
        match self.view.revisions.get(revision).map(|view| &view.readiness) {
            Some(Readiness::Failed { reason }) => Some(format!("{revision} failed: {reason}")),
            _ => None,
        }
    }

    fn split(&self, step: usize) -> TrafficSplit {
        let percent = self.policy.steps.get(step).copied().unwrap_or(100);
        TrafficSplit::canary(&self.state.stable, &self.state.release.revision, percent)
    }

    fn shift(&self, step: usize, reason: String) -> RolloutDecision {
        decide(RolloutStep::Change(RolloutAction::Shift { step, split: self.split(step) }), reason)
    }

    fn canary(&self, step: usize) -> RolloutDecision {
        let (tally, policy) = (&self.state.tally, self.policy);
        let candidate = &self.state.release.revision;
        if let Some(reason) = self.view.unready(candidate) {
            return decide(RolloutStep::RollBack, reason);
        }
        let overdue = self.failing().or_else(|| self.stuck()).or_else(|| self.wish(true));
        if let Some(decision) = overdue.or_else(|| self.held_too_long()) {
            return decision;
        }
        let unfinished = self.unfinished();
        if let Some(decision) = unfinished.as_ref().and_then(|(due, _)| self.press(*due)) {
            return decision;
        }
        if unfinished.is_none()
            && self.state.intent.is_some()
            && let Some(decision) = self.judged_meanwhile()
        {
            return decision;
        }
        if unfinished.is_none() && self.view.split.as_ref() != Some(&self.split(step)) {
            return self.shift(step, "the policy or a late change calls for it".to_owned());
        }
        if unfinished.is_none() && tally.passes >= policy.passes && tally.first_bad.is_none() {
            let reason = format!("{} passes at {}", tally.passes, self.split(step));
            let is_last = step.saturating_add(1) >= policy.steps.len();
            return if is_last { decide(RolloutStep::Promote, reason) } else { self.shift(step + 1, reason) };
        }
        if let Some(decision) = self.silent() {
            return decision;
        }
        let (due, trial_ends) = (self.analysis_due(), self.trial_ends());
        let again = unfinished.as_ref().map_or(due, |(again, _)| *again);
        let reason = unfinished.map_or_else(|| self.progress(step), |(_, reason)| reason);
        if due <= self.now {
            return decide(RolloutStep::Analyse, reason);
        }
        let until = due.min(again).min(trial_ends.unwrap_or(due)).min(self.silent_at());
        self.wait(until.min(self.soon()), reason)
    }

    /// When silence is enough.
    fn silent_at(&self) -> DateTime<Utc> {
        later(self.state.tally.data_at.unwrap_or(self.state.since), self.policy.silence)
    }

    fn silent(&self) -> Option<RolloutDecision> {
        let policy = self.policy;
        let reason = || format!("nobody can tell for {:?}; last: {}", policy.silence, self.state.tally.last);
        (self.silent_at() <= self.now).then(|| match policy.when_silent {
            WhenSilent::RollBack => decide(RolloutStep::RollBack, reason()),
            WhenSilent::Pause => decide(RolloutStep::Pause, reason()),
        })
    }

    /// A split was tried and is not there, nor on its way: whoever has a share meanwhile is judged all the same.
    fn judged_meanwhile(&self) -> Option<RolloutDecision> {
        let due = self.analysis_due() <= self.now;
        self.silent().or_else(|| due.then(|| decide(RolloutStep::Analyse, "the split could not be made yet")))
    }

    /// A failure that no pass has followed is enough by then.
    fn trial_ends(&self) -> Option<DateTime<Utc>> {
        self.state.tally.first_bad.map(|bad| later(bad, self.policy.interval * 2))
    }

    pub(super) fn analysis_due(&self) -> DateTime<Utc> {
        later(self.state.tally.analysed_at.unwrap_or(self.state.since), self.policy.interval)
    }

    /// It does badly enough.
    pub(super) fn failing(&self) -> Option<RolloutDecision> {
        let (tally, policy) = (&self.state.tally, self.policy);
        let failing = tally.failures >= policy.failures
            || tally.failures_in_a_row >= policy.failures_in_a_row
            || self.trial_ends().is_some_and(|ends| ends <= self.now);
        failing.then(|| {
            let Tally { failures, failures_in_a_row, last, .. } = tally;
            let reason = format!("{failures} failures, {failures_in_a_row} in a row; last: {last}");
            decide(RolloutStep::RollBack, reason)
        })
    }

    fn progress(&self, step: usize) -> String {
        let (tally, policy) = (&self.state.tally, self.policy);
        let mut text = format!(
            "step {} of {}, {}; {} of {} passes, {} failures",
            step.saturating_add(1),
            policy.steps.len(),
            self.split(step),
            tally.passes,
            policy.passes,
            tally.failures
        );
        if !tally.last.is_empty() {
            text.push_str("; last: ");
            text.push_str(&tally.last);
        }
        text
    }

    /// What is left of a phase that tidies up: it is given up after a while.
    pub(super) fn tidy(
        &self,
        revision: &str,
        ended: impl FnOnce(String) -> RolloutEnd,
        why: &str,
    ) -> RolloutDecision {
        if !self.view.revisions.contains_key(revision) {
            return end(ended(String::new()), why);
        }
        if self.now >= later(self.state.since, self.policy.start_within) {
            let left = format!("{revision} could not be removed; remove it by hand");
            return end(ended(left.clone()), left);
        }
        let action = RolloutAction::Retire { revision: revision.to_owned() };
        decide(RolloutStep::Change(action), why)
    }

    fn promoted(&self) -> RolloutDecision {
        let promoted = |left| RolloutEnd::Promoted { left };
        if self.policy.keeps_old {
            return end(promoted(String::new()), "the old revision stays");
        }
        self.tidy(&self.state.stable, promoted, "the candidate is current")
    }
}
