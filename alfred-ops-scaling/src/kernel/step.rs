//! The decision itself.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};

use super::look::Look;
use super::policy::Strategy;
use super::{Bound, Decision, HoldReason, Inputs, Policy, Signal, State, Verdict};
use super::{guard, hpa, kpa, rules, slo, target_tracking};

/// Decides how many instances there should be. Pure apart from `state`, which is for the next call; allocates nothing once
/// `state` has seen as much as its strategy looks back.
///
/// The policy's strategy finds a number, which then passes the policy's [`Guard`](crate::Guard). Whatever the strategy:
///
/// - A signal that is missing, stale, not a number, negative or absurd never causes a step down.
/// - The policy's bounds hold whatever is known.
/// - After a time in which nobody looked (`stale_after`), and when the clock goes back, what was seen before no longer counts.
pub fn step(state: &mut State, inputs: &Inputs, policy: &Policy, now: DateTime<Utc>) -> Decision {
    let moment = state.moment(now);
    let look = Look::new(inputs, policy, now, moment);
    let memory = &mut state.memory;
    let proposal = match &policy.strategy {
        Strategy::Rules(rules) => rules::propose(memory.rules(), rules, &look),
        Strategy::HpaV2(hpa) => hpa::propose(memory.hpa(), hpa, &look),
        Strategy::Kpa(kpa) => kpa::propose(memory.kpa(), kpa, &look),
        Strategy::TargetTracking(tracking) => target_tracking::propose(memory.tracking(), tracking, &look),
        Strategy::Slo(slo) => slo::propose(memory.slo(), slo, &look),
    };
    let (desired, bound) = guard::pass(&mut state.guard, &policy.guard, &look, &proposal);
    let verdict = told(proposal.verdict, bound, look.current(), desired);
    Decision { desired, verdict, bound, basis: proposal.basis }
}

/// What a verdict comes to once all safeguards have been passed.
fn told(chosen: Verdict, bound: Option<Bound>, current: u32, desired: u32) -> Verdict {
    match (desired.cmp(&current), chosen) {
        (Ordering::Equal, _) if bound == Some(Bound::Paused) => Verdict::Hold(HoldReason::Paused),
        (Ordering::Equal, Verdict::Up(signal)) => Verdict::Hold(HoldReason::AtCeiling(signal)),
        (Ordering::Equal, Verdict::Wake) => Verdict::Hold(HoldReason::AtCeiling(Signal::Queued)),
        (Ordering::Equal, Verdict::Down) => Verdict::Hold(HoldReason::AtFloor),
        (Ordering::Equal, _)
        | (Ordering::Greater, Verdict::Up(_) | Verdict::Wake)
        | (Ordering::Less, Verdict::Down) => chosen,
        (Ordering::Greater | Ordering::Less, _) => Verdict::Confine,
    }
}
