//! What is done next with a secret. Pure.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::step::Next;
use super::{Generation, Phase, RotationFacts, RotationPolicy, RotationReason, RotationStep};
use crate::{ChorePlan, SecretVersion, VersionState};

/// No plan is longer: a first generation is made, published and activated at once.
const STEPS_MAX: usize = 8;

/// What is done now with a secret, and what is waited for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationPlan {
    /// What is done.
    pub steps: Vec<(RotationStep, RotationReason)>,
    /// When there is more to do, if that is known, and what is waited for.
    pub waits: Option<(Option<DateTime<Utc>>, String)>,
    /// What keeps it from its purpose.
    pub obstacles: Vec<String>,
    /// Versions that can be read and that no generation knows: they were added by somebody else.
    pub strangers: Vec<u64>,
}

/// Decides what is done at `now`. Facts in, plan out: steps that can be done one after the other without a wait.
#[must_use]
pub fn plan_rotation(facts: &RotationFacts, policy: &RotationPolicy, now: DateTime<Utc>) -> RotationPlan {
    let mut plan = RotationPlan { strangers: strangers(facts), ..RotationPlan::default() };
    let mut ahead = facts.clone();
    while plan.steps.len() < STEPS_MAX {
        match next(&ahead, policy, now) {
            Next::Do(step, reason) => {
                imagine(&mut ahead, step, now);
                plan.steps.push((step, reason));
            }
            Next::Wait { until, what } => {
                plan.waits = Some((Some(until), what.to_owned()));
                break;
            }
            Next::Patience(what) => {
                plan.waits = Some((None, what));
                break;
            }
            Next::Blocked(obstacle) => {
                plan.obstacles.push(obstacle);
                break;
            }
        }
    }
    if let Some(since) = facts.record.active().and_then(|generation| generation.active_at)
        && now > after(since, policy.every.saturating_add(policy.overdue_after))
    {
        let days = (now - since).num_days();
        plan.obstacles.push(format!("the active generation is {days} days old, which is overdue"));
    }
    plan
}

pub(super) fn next(facts: &RotationFacts, policy: &RotationPolicy, now: DateTime<Utc>) -> Next {
    let record = &facts.record;
    if record.generations.is_empty() {
        return match facts.view.active {
            Some(version) => Next::Do(RotationStep::Adopt { version }, RotationReason::Found),
            None => Next::Do(RotationStep::Stage { generation: record.begun + 1 }, RotationReason::First),
        };
    }
    if let Some(obstacle) = moved(facts) {
        return Next::Blocked(obstacle);
    }
    let find = |phase| record.in_phase(phase);
    if let Some(generation) = find(Phase::Staged) {
        let number = generation.number;
        return match generation.version {
            Some(_) => Next::Do(RotationStep::Publish { generation: number }, RotationReason::Next),
            None => Next::Do(RotationStep::Restage { generation: number }, RotationReason::Unfinished),
        };
    }
    if let Some(generation) = find(Phase::Published) {
        let step = RotationStep::Activate { generation: generation.number };
        // Nobody has cached anything of a secret that has never been used.
        if record.active().is_none() && record.past.is_empty() {
            return Next::Do(step, RotationReason::First);
        }
        return once(generation, policy.publish_for(), now, step, RotationReason::Known, "caches to read it");
    }
    if let Some(generation) = find(Phase::Retiring) {
        return retire(facts, generation, policy, now);
    }
    if let Some(generation) = find(Phase::Revoked) {
        let step = RotationStep::Destroy { generation: generation.number };
        return once(
            generation,
            policy.disabled_for,
            now,
            step,
            RotationReason::NotMissed,
            "anybody to miss it",
        );
    }
    begin(facts, policy, now)
}

/// Whether it is time for a new one.
fn begin(facts: &RotationFacts, policy: &RotationPolicy, now: DateTime<Utc>) -> Next {
    let stage = |reason| Next::Do(RotationStep::Stage { generation: facts.record.begun + 1 }, reason);
    let Some(active) = facts.record.active() else { return stage(RotationReason::Lost) };
    let readable =
        active.version.and_then(|version| facts.view.state_of(version)) == Some(VersionState::Enabled);
    if !readable {
        return stage(RotationReason::Lost);
    }
    if let Some(reason) = &facts.record.wanted {
        return stage(RotationReason::Wanted(reason.clone()));
    }
    let due = after(active.active_at.unwrap_or(active.since), policy.every);
    if now < due {
        return Next::Wait { until: due, what: "the next rotation" };
    }
    stage(RotationReason::Due((now - active.since).to_std().unwrap_or_default()))
}

fn retire(
    facts: &RotationFacts,
    generation: &Generation,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> Next {
    let step = RotationStep::Revoke { generation: generation.number };
    let next = once(
        generation,
        policy.retire_for(),
        now,
        step,
        RotationReason::Unused,
        "caches and tokens to expire",
    );
    let active = facts.record.active();
    let readable = active
        .and_then(|active| facts.view.state_of(active.version?))
        .is_some_and(|state| state == VersionState::Enabled);
    match next {
        Next::Do(..) if !readable => {
            Next::Blocked("the active version cannot be read, so the old one stays; enable it".to_owned())
        }
        Next::Do(..) if active.is_some_and(|active| active.handle == generation.handle) => {
            Next::Blocked(format!(
                "the old generation and the active one are both {:?}, so the old one stays; revoke it by hand",
                generation.handle
            ))
        }
        Next::Do(..) if facts.users > 0 => {
            let told = after(generation.since, policy.retire_for().saturating_add(policy.users_patience));
            let what = format!("{} to stop using {:?}", facts.users, generation.handle);
            if now > told {
                Next::Blocked(format!("still waiting for {what}; restart them, or end their sessions"))
            } else {
                Next::Patience(what)
            }
        }
        next => next,
    }
}

/// The step once the phase has lasted for so long.
fn once(
    generation: &Generation,
    span: Duration,
    now: DateTime<Utc>,
    step: RotationStep,
    reason: RotationReason,
    what: &'static str,
) -> Next {
    let until = after(generation.since, span);
    if now < until { Next::Wait { until, what } } else { Next::Do(step, reason) }
}

/// Whether somebody else made another version the active one.
fn moved(facts: &RotationFacts) -> Option<String> {
    let active = facts.record.active();
    // After a crash in an activation the store is one step ahead of the record.
    let coming = facts.record.in_phase(Phase::Published);
    let expected =
        [active, coming].into_iter().flatten().any(|generation| generation.version == facts.view.active);
    let nothing_yet = active.is_none() && facts.view.active.is_none();
    if expected || nothing_yet {
        return None;
    }
    let named = |version: Option<u64>| version.map_or_else(|| "none".to_owned(), |number| number.to_string());
    Some(format!(
        "somebody else changed the active version to {}; make {} the active one again",
        named(facts.view.active),
        named(active.and_then(|generation| generation.version))
    ))
}

fn strangers(facts: &RotationFacts) -> Vec<u64> {
    let known = |number| facts.record.generations.iter().any(|generation| generation.version == Some(number));
    let unfinished = |number| {
        let of = |generation: &Generation| generation.version.is_none() && number > generation.above;
        facts.record.generations.iter().any(of)
    };
    let readable = facts.view.versions.iter().filter(|version| version.state == VersionState::Enabled);
    readable
        .map(|version| version.number)
        .filter(|number| !known(*number) && !unfinished(*number) && facts.view.active != Some(*number))
        .collect()
}

/// What the facts will be after a step.
pub(super) fn imagine(facts: &mut RotationFacts, step: RotationStep, now: DateTime<Utc>) {
    match step {
        RotationStep::Adopt { version } => facts.record.adopt(version, String::new(), now),
        RotationStep::Stage { generation } | RotationStep::Restage { generation } => {
            let (above, version) = (facts.view.latest(), facts.view.latest() + 1);
            facts.record.stage(generation, String::new(), above, now);
            facts.record.keep(generation, version, format!("of generation {generation}"));
            facts.view.versions.push(SecretVersion::new(version, VersionState::Enabled, now));
        }
        RotationStep::Publish { generation } => facts.record.enter(generation, Phase::Published, now),
        RotationStep::Activate { generation } => {
            facts.record.activate(generation, now);
            facts.view.active = facts.record.active().and_then(|generation| generation.version);
        }
        RotationStep::Revoke { generation } => facts.record.enter(generation, Phase::Revoked, now),
        RotationStep::Destroy { generation } => facts.record.destroy(generation, now),
    }
}

fn after(time: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    let span = TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
    time.checked_add_signed(span).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl ChorePlan for RotationPlan {
    fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    fn obstacles(&self) -> Vec<String> {
        self.obstacles.clone()
    }
}

impl fmt::Display for RotationPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            f.write_str("nothing to do")?;
        }
        for (number, (step, reason)) in self.steps.iter().enumerate() {
            let line_end = if number > 0 { "\n" } else { "" };
            write!(f, "{line_end}{step}: {reason}")?;
        }
        match &self.waits {
            Some((Some(until), what)) => {
                write!(f, "\nwait until {} for {what}", until.format("%Y-%m-%d %H:%M"))?;
            }
            Some((None, what)) => write!(f, "\nwait for {what}")?,
            None => {}
        }
        if !self.strangers.is_empty() {
            write!(f, "\nleave versions {:?}: somebody else added them", self.strangers)?;
        }
        self.obstacles.iter().try_for_each(|obstacle| write!(f, "\nobstacle: {obstacle}"))
    }
}
