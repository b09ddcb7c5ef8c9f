//! What is kept of a rollout.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::way_back::ClosedWay;
use super::{
    Release, RolloutAction, RolloutEnd, RolloutIntent, RolloutPhase, TargetView, TrafficSplit, Verdict,
};

/// One rollout as its record has it. It changes by compare-and-set alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RolloutState {
    /// Unique.
    pub id: String,
    /// What is rolled out.
    pub release: Release,
    /// The last good revision when it began: where a rollback goes.
    pub stable: String,
    /// What the stable revision runs.
    pub stable_image: String,
    /// Where it stands.
    pub phase: RolloutPhase,
    /// Since when it stands there; within a canary step, since the candidate has its share, and on the way back, since the stable
    /// revision has everything.
    pub since: DateTime<Utc>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// The split that the target has as far as the record knows.
    pub split: TrafficSplit,
    /// A change of the target that may have happened: written before it, gone when the target was seen with it.
    pub intent: Option<RolloutIntent>,
    /// What was measured in this canary step.
    pub tally: Tally,
    /// Somebody's wish that it rests, or the policy's.
    pub paused: Option<RolloutPause>,
    /// Somebody's wish that it goes back.
    pub abort: Option<String>,
    /// When gates were last asked.
    pub(super) gates_asked: Option<DateTime<Utc>>,
    /// Why the gates did not open.
    pub(super) gate: Option<String>,
    /// The way back is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) closed: Option<ClosedWay>,
}

/// Why a rollout rests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RolloutPause {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

/// What was measured in one canary step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tally {
    /// Passes.
    pub passes: u32,
    /// Failures.
    pub failures: u32,
    /// Failures since the last pass.
    pub failures_in_a_row: u32,
    /// The first failure since the last pass.
    pub first_bad: Option<DateTime<Utc>>,
    /// The last analysis.
    pub analysed_at: Option<DateTime<Utc>>,
    /// The last one that passed or failed.
    pub data_at: Option<DateTime<Utc>>,
    /// What the last one said, if not a pass.
    pub last: String,
}

impl RolloutState {
    /// A rollout that begins, if the target can have one: one ready revision has all traffic, and none has the candidate's name.
    /// Else what is in the way.
    ///
    /// # Errors
    /// The obstacle, as a sentence.
    pub fn begin(
        id: String,
        release: Release,
        view: &TargetView,
        now: DateTime<Utc>,
    ) -> Result<Self, String> {
        let Some(split) = view.split.clone() else {
            return Err("the traffic does not go to named revisions".to_owned());
        };
        let Some(stable) = split.only().map(str::to_owned) else {
            return Err(format!("the traffic is split: {split}"));
        };
        if view.revisions.contains_key(&release.revision) {
            return Err(format!("there is a revision {} already", release.revision));
        }
        if let Some(reason) = view.unready(&stable) {
            return Err(reason);
        }
        let stable_image = view.revisions.get(&stable).map(|view| view.image.clone()).unwrap_or_default();
        Ok(Self {
            id,
            release,
            stable,
            stable_image,
            phase: RolloutPhase::Checking,
            since: now,
            started_at: now,
            split,
            intent: None,
            tally: Tally::default(),
            paused: None,
            abort: None,
            gates_asked: None,
            gate: None,
            closed: None,
        })
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase, RolloutPhase::Ended(_))
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn end(&self) -> Option<&RolloutEnd> {
        match &self.phase {
            RolloutPhase::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// It stands elsewhere from now on.
    pub(super) fn enter(&mut self, phase: RolloutPhase, now: DateTime<Utc>) {
        (self.phase, self.since) = (phase, now);
    }

    /// A change of the target is about to be made.
    pub(super) fn intend(&mut self, mut intent: RolloutIntent) {
        intent.before.push(self.split.clone());
        if let Some(former) = self.intent.take() {
            if former.action == intent.action {
                intent.begun_at = former.begun_at;
                intent.rested_at = intent.rested_at.or(former.rested_at);
            }
            intent.before.extend(former.after().cloned());
            intent.before.extend(former.before);
        }
        intent.before.sort_by_key(ToString::to_string);
        intent.before.dedup();
        self.intent = Some(intent);
    }

    /// The target was seen with the intended change.
    pub(super) fn took(&mut self, now: DateTime<Utc>) {
        let Some(intent) = self.intent.take() else { return };
        match intent.action {
            RolloutAction::Create if self.phase == RolloutPhase::Creating => {
                self.enter(RolloutPhase::Starting, now);
            }
            RolloutAction::Shift { step, split } => {
                self.split = split;
                if matches!(self.phase, RolloutPhase::Starting | RolloutPhase::Canary { .. }) {
                    self.tally = Tally::default();
                    self.enter(RolloutPhase::Canary { step }, now);
                }
            }
            RolloutAction::Return { split } => (self.split, self.since) = (split, now),
            RolloutAction::Create | RolloutAction::Retire { .. } => {}
        }
    }

    /// The staging check's word.
    pub fn learn_staging(&mut self, fault: Option<String>, now: DateTime<Utc>) {
        match fault {
            None => self.enter(RolloutPhase::Gated, now),
            Some(reason) => {
                let reason = format!("the staging check did not pass: {reason}");
                self.enter(RolloutPhase::Ended(RolloutEnd::Refused { reason }), now);
            }
        }
    }

    /// The gates' word.
    pub fn learn_gates(&mut self, closed: Option<String>, now: DateTime<Utc>) {
        self.gates_asked = Some(now);
        if closed.is_none() {
            self.enter(RolloutPhase::Creating, now);
        }
        self.gate = closed;
    }

    /// The analyses' word.
    pub fn learn_verdict(&mut self, verdict: &Verdict, now: DateTime<Utc>) {
        let tally = &mut self.tally;
        tally.analysed_at = Some(now);
        tally.last = if *verdict == Verdict::Pass { String::new() } else { shortened(&verdict.to_string()) };
        match verdict {
            Verdict::Pass => {
                tally.passes = tally.passes.saturating_add(1);
                (tally.failures_in_a_row, tally.first_bad, tally.data_at) = (0, None, Some(now));
            }
            Verdict::Fail(_) => {
                tally.failures = tally.failures.saturating_add(1);
                tally.failures_in_a_row = tally.failures_in_a_row.saturating_add(1);
                tally.first_bad.get_or_insert(now);
                tally.data_at = Some(now);
            }
            Verdict::Inconclusive(_) | Verdict::NoData(_) => {}
        }
    }

    /// Somebody wants it to rest. It goes back all the same if it is going back.
    pub(super) fn pause(&mut self, reason: &str, now: DateTime<Utc>) {
        self.paused.get_or_insert(RolloutPause { since: now, reason: shortened(reason) });
    }

    /// Somebody wants it to go on. What was silent has time to speak again.
    pub(super) fn resume(&mut self, now: DateTime<Utc>) {
        if self.paused.take().is_some()
            && matches!(self.phase, RolloutPhase::Starting | RolloutPhase::Canary { .. })
        {
            self.tally.data_at = Some(now);
            if let Some(intent) = &mut self.intent {
                intent.begun_at = now;
            }
        }
        if matches!(self.phase, RolloutPhase::Gated | RolloutPhase::Creating | RolloutPhase::Starting) {
            self.since = now;
        }
    }
}

/// Reasons are bounded: a record is read and written often.
pub(super) fn shortened(text: &str) -> String {
    const MAX: usize = 1_000;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// So much later, or the end of time.
pub(super) fn later(time: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by)
        .ok()
        .and_then(|by| time.checked_add_signed(by))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
