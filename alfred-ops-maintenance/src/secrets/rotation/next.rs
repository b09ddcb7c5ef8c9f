//! The next step of a rotation. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::step::Next;
use super::{Generation, Phase, RotationFacts, RotationPolicy, RotationReason, RotationStep};
use crate::{SecretVersion, VersionState};

/// Wishes and losses begin a generation beside older ones, but not without end.
const GENERATIONS_MAX: usize = 8;

pub(super) fn next(facts: &RotationFacts, policy: &RotationPolicy, now: DateTime<Utc>) -> Next {
    let record = &facts.record;
    if record.generations.is_empty() {
        return match facts.view.active {
            Some(version) => Next::Do(RotationStep::Adopt { version }, RotationReason::Found),
            None => stage(facts, RotationReason::First),
        };
    }
    if let Some(next) = moved(facts) {
        return next;
    }
    if let Some(generation) = record.in_phase(Phase::Staged) {
        return publish(facts, generation);
    }
    if let Some(generation) = record.in_phase(Phase::Published) {
        return activate(facts, generation, policy, now);
    }
    let lost = loss(facts);
    let has_room = record.generations.len() < GENERATIONS_MAX;
    if let Some(before) = record.in_phase(Phase::Retiring) {
        // It works at once, which a new one does not for those who must learn of it first.
        if let Some(reason) = &lost
            && facts.returnable
        {
            return Next::Do(RotationStep::Return { generation: before.number }, reason.clone());
        }
        if lost != Some(RotationReason::Lost) || !has_room {
            return retire(facts, before, policy, now);
        }
    }
    match (lost, &record.wanted) {
        (Some(reason), _) if has_room => stage(facts, reason),
        // A leak does not wait until the one before is destroyed.
        (None, Some(reason)) if has_room => stage(facts, RotationReason::Wanted(reason.clone())),
        _ => match record.in_phase(Phase::Revoked) {
            Some(generation) => destroy(facts, generation, policy, now),
            None => begin(facts, policy, now),
        },
    }
}

fn stage(facts: &RotationFacts, reason: RotationReason) -> Next {
    Next::Do(RotationStep::Stage { generation: facts.record.begun + 1 }, reason)
}

/// Why the active one is good for nothing, if it is.
fn loss(facts: &RotationFacts) -> Option<RotationReason> {
    if !facts.has_readable_active() {
        return Some(RotationReason::Lost);
    }
    facts.refused.then_some(RotationReason::Refused)
}

fn publish(facts: &RotationFacts, generation: &Generation) -> Next {
    let number = generation.number;
    match generation.version {
        None => Next::Do(RotationStep::Restage { generation: number }, RotationReason::Unfinished),
        Some(_) if facts.is_readable(generation) => {
            Next::Do(RotationStep::Publish { generation: number }, RotationReason::Next)
        }
        Some(_) => Next::Do(RotationStep::Restage { generation: number }, RotationReason::Unreadable),
    }
}

fn activate(
    facts: &RotationFacts,
    generation: &Generation,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> Next {
    let (record, number) = (&facts.record, generation.number);
    if !facts.is_readable(generation) {
        return Next::Do(RotationStep::Restage { generation: number }, RotationReason::Unreadable);
    }
    let step = RotationStep::Activate { generation: number };
    // Nobody has cached anything of a secret that has never been used.
    if record.active().is_none() && record.past.is_empty() {
        return Next::Do(step, RotationReason::First);
    }
    // What has been waited for could not be used meanwhile.
    if let Some(reason) = loss(facts) {
        return Next::Do(step, reason);
    }
    once(generation, policy.publish_for(), now, step, RotationReason::Known, "caches to read it")
}

/// Whether it is time for a new one.
fn begin(facts: &RotationFacts, policy: &RotationPolicy, now: DateTime<Utc>) -> Next {
    let Some(active) = facts.record.active() else { return stage(facts, RotationReason::Lost) };
    let since = active.active_at.unwrap_or(active.since);
    let due = after(since, policy.every);
    if now < due {
        return Next::Wait { until: due, what: "the next rotation" };
    }
    stage(facts, RotationReason::Due((now - since).to_std().unwrap_or_default()))
}

fn retire(
    facts: &RotationFacts,
    generation: &Generation,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> Next {
    let step = RotationStep::Revoke { generation: generation.number };
    // A host died while it locked it: whoever uses it may be locked out until that is looked at.
    if facts.users > 0 && facts.record.doing.is_some_and(|(doing, _)| doing == step) {
        return Next::Do(step, RotationReason::Unfinished);
    }
    let next = once(
        generation,
        policy.retire_for(),
        now,
        step,
        RotationReason::Unused,
        "caches and tokens to expire",
    );
    match next {
        Next::Do(..) if facts.users > 0 => {
            let told = after(generation.since, policy.retire_for().saturating_add(policy.users_patience));
            let what = format!("{} to stop using {:?}", facts.users, generation.handle);
            if now > told {
                Next::Blocked(format!("still waiting for {what}; restart them, or end their sessions"))
            } else {
                Next::Patience(what)
            }
        }
        Next::Do(..) => match loss(facts) {
            None => next,
            Some(reason) if facts.record.generations.len() < GENERATIONS_MAX => stage(facts, reason),
            Some(reason) => Next::Blocked(format!("{reason}, so the old one stays; mend the active one")),
        },
        next => next,
    }
}

fn destroy(
    facts: &RotationFacts,
    generation: &Generation,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> Next {
    if facts.is_readable(generation) {
        let version = generation.version.unwrap_or_default();
        return Next::Blocked(format!(
            "somebody enabled the old version {version} again, so it stays; disable it once nobody needs it, or make \
             it the active one"
        ));
    }
    let step = RotationStep::Destroy { generation: generation.number };
    let until = policy.disabled_for;
    match once(generation, until, now, step, RotationReason::NotMissed, "anybody to miss it") {
        Next::Do(..) if facts.users > 0 => Next::Blocked(format!(
            "{} use {:?} again, although it was locked, so it stays; restart them, or end their sessions",
            facts.users, generation.handle
        )),
        Next::Do(..) if !facts.has_readable_active() => {
            Next::Blocked("the active version cannot be read, so the old one stays; enable it".to_owned())
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

/// What follows if the store's active version is not the one that the record says.
fn moved(facts: &RotationFacts) -> Option<Next> {
    let (record, found) = (&facts.record, facts.view.active);
    let active = record.active();
    // After a crash in an activation the store is one step ahead of the record.
    let coming = record.in_phase(Phase::Published);
    let expected = [active, coming].into_iter().flatten().any(|generation| generation.version == found);
    if expected || (active.is_none() && found.is_none()) {
        return None;
    }
    let known = record.generations.iter().find(|generation| found.is_some() && generation.version == found);
    if let Some(old) = known.filter(|old| matches!(old.phase, Phase::Retiring | Phase::Revoked))
        && facts.is_readable(old)
    {
        return Some(Next::Do(RotationStep::Return { generation: old.number }, RotationReason::Again));
    }
    if !facts.has_readable_active() {
        // There is nothing that could be made the active one again. Whoever put another in its place did well.
        return match found.filter(|version| facts.view.state_of(*version) == Some(VersionState::Enabled)) {
            Some(version) if known.is_none() => {
                Some(Next::Do(RotationStep::Adopt { version }, RotationReason::Found))
            }
            _ => None,
        };
    }
    let named = |version: Option<u64>| version.map_or_else(|| "none".to_owned(), |number| number.to_string());
    Some(Next::Blocked(format!(
        "somebody else changed the active version to {}; make {} the active one again",
        named(found),
        named(active.and_then(|generation| generation.version))
    )))
}

/// What the facts will be after a step.
pub(super) fn imagine(facts: &mut RotationFacts, step: RotationStep, now: DateTime<Utc>) {
    match step {
        RotationStep::Adopt { version } => {
            let added_at = facts.view.added_at(version).unwrap_or(now);
            facts.record.adopt(version, String::new(), added_at, now);
        }
        RotationStep::Stage { generation } | RotationStep::Restage { generation } => {
            let (above, version) = (facts.view.latest(), facts.view.latest() + 1);
            facts.record.stage(generation, String::new(), above, now);
            facts.record.keep(generation, version, format!("of generation {generation}"));
            facts.view.versions.push(SecretVersion::new(version, VersionState::Enabled, now));
            if step == (RotationStep::Stage { generation }) {
                facts.record.wanted = None;
            }
        }
        RotationStep::Publish { generation } => facts.record.enter(generation, Phase::Published, now),
        RotationStep::Activate { generation } | RotationStep::Return { generation } => {
            facts.record.activate(generation, now);
            facts.view.active = facts.record.active().and_then(|generation| generation.version);
            (facts.refused, facts.returnable) = (false, false);
        }
        RotationStep::Revoke { generation } => {
            facts.record.enter(generation, Phase::Revoked, now);
            facts.disable(generation);
        }
        RotationStep::Destroy { generation } => facts.record.destroy(generation, now),
    }
}

pub(super) fn after(time: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    let span = TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
    time.checked_add_signed(span).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
