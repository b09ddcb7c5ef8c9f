//! What is done next with a secret. Pure.

use std::fmt;

use chrono::{DateTime, Utc};

use super::next::{after, imagine, next};
use super::step::Next;
use super::{Generation, Phase, RotationFacts, RotationPolicy, RotationReason, RotationStep};
use crate::{ChorePlan, VersionState};

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
    // Also of one that is locked by this very plan.
    plan.obstacles.extend(nameless(facts));
    let later: Vec<String> = nameless(&ahead).filter(|told| !plan.obstacles.contains(told)).collect();
    plan.obstacles.extend(later);
    plan
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

/// Those that nobody but a person can revoke.
fn nameless(facts: &RotationFacts) -> impl Iterator<Item = String> {
    let found = facts.record.generations.iter();
    let found = found.filter(|generation| generation.phase == Phase::Revoked && generation.handle.is_empty());
    found.map(|generation| {
        format!(
            "version {} names nobody who could be revoked; revoke it by hand before its value is destroyed",
            generation.version.unwrap_or_default()
        )
    })
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
