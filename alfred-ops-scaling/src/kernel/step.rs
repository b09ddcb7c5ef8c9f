//! The decision itself.

use std::cmp::Ordering;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Bound, Decision, HoldReason, Inputs, Policy, Restart, Signal, State, Threshold, TriggerStatus, Triggers,
    Verdict, state::Last,
};

/// Decides how many instances there should be. Pure apart from `state`, which is for the next call.
///
/// - Up, when the queue, the processors or the memory have been over their limit for its time: to
///   `ceil(instances × value / aim)`, the aim being the limit of the queue or the policy's target share, at
///   least one more and at most `max(step_up_min, ceil(instances × step_up_ratio))` more; of several signals
///   the one that asks for most.
/// - From zero, at once, when anything waits.
/// - Down, when processors and memory were both below the idle limit and the queue within its own, all for
///   the idle time: to `ceil(instances × busiest share / target)`, at least one less, and not below
///   `ceil(instances × step_down_ratio)`. From one to zero only when nothing waits and nothing is in work.
/// - A signal that is missing, stale, not a number, negative or absurd never causes a step down, and
///   breaks the time of the trigger that needs it.
/// - The policy's bounds hold whatever is known, and are applied last.
///
/// The triggers' times start over at the first look at a changed number of instances, so that what the
/// change brought can take effect. It does not matter whose it was, nor whether its outcome was known; a
/// decision that could not be obeyed is taken again at the next look. The times also start over after a time
/// in which nobody looked (`stale_after`) and when the clock goes back: a trigger fires only on what was
/// seen.
pub fn step(state: &mut State, inputs: &Inputs, policy: &Policy, now: DateTime<Utc>) -> Decision {
    let restarted = restart(state, inputs, policy, now);
    if restarted.is_some() {
        *state = State::default();
    }
    let triggers = observe(state, inputs, policy, now);
    let (wanted, chosen, stepped) = choose(&triggers, inputs, policy, now);
    let desired = wanted.clamp(policy.min.min(policy.max), policy.max);
    state.last = Some(Last { at: now, instances: inputs.instances });
    let bound = match desired {
        _ if desired > wanted => Some(Bound::Min),
        _ if desired < wanted => Some(Bound::Max),
        _ if stepped => Some(Bound::Step),
        _ => None,
    };
    let verdict = bounded(chosen, inputs.instances, desired);
    Decision { desired, verdict, bound, restarted, triggers }
}

/// Whether what was seen before still counts.
fn restart(state: &State, inputs: &Inputs, policy: &Policy, now: DateTime<Utc>) -> Option<Restart> {
    let Last { at, instances } = state.last?;
    let pause = (now - at).to_std();
    if pause.is_err() || pause.is_ok_and(|pause| pause > policy.stale_after) {
        return Some(Restart::Gap { since: at });
    }
    (instances != inputs.instances).then_some(Restart::Changed { from: instances })
}

/// What a verdict comes to once the policy's bounds have been applied.
fn bounded(chosen: Verdict, current: u32, desired: u32) -> Verdict {
    match (desired.cmp(&current), chosen) {
        (Ordering::Equal, Verdict::Up(signal)) => Verdict::Hold(HoldReason::AtCeiling(signal)),
        (Ordering::Equal, Verdict::Wake) => Verdict::Hold(HoldReason::AtCeiling(Signal::Queued)),
        (Ordering::Equal, Verdict::Down) => Verdict::Hold(HoldReason::AtFloor),
        (Ordering::Equal, _)
        | (Ordering::Greater, Verdict::Up(_) | Verdict::Wake)
        | (Ordering::Less, Verdict::Down) => chosen,
        (Ordering::Greater | Ordering::Less, _) => Verdict::Confine,
    }
}

/// Brings the state up to date and tells where each trigger stands.
fn observe(state: &mut State, inputs: &Inputs, policy: &Policy, now: DateTime<Utc>) -> Triggers {
    let value = |signal| inputs.usable(signal, now, policy.stale_after).ok_or(signal);
    let over = |signal, threshold: Threshold| value(signal).map(|value| value > threshold.limit);
    // Nothing that does not run has processors or memory to use.
    let (cpu, memory) = if inputs.instances == 0 {
        (Ok(false), Ok(false))
    } else {
        (over(Signal::Cpu, policy.cpu), over(Signal::Memory, policy.memory))
    };
    let idle = || {
        let quiet = |signal| value(signal).map(|value| value < policy.idle.limit);
        let (cpu, memory) = (quiet(Signal::Cpu)?, quiet(Signal::Memory)?);
        let queue = value(Signal::Queued)? <= policy.queue.limit;
        Ok(cpu && memory && queue)
    };
    let idle = if inputs.instances == 0 { Ok(false) } else { idle() };
    Triggers {
        queue: follow(&mut state.queue_since, over(Signal::Queued, policy.queue), policy.queue.hold, now),
        cpu: follow(&mut state.cpu_since, cpu, policy.cpu.hold, now),
        memory: follow(&mut state.memory_since, memory, policy.memory.hold, now),
        idle: follow(&mut state.idle_since, idle, policy.idle.hold, now),
    }
}

fn follow(
    since: &mut Option<DateTime<Utc>>,
    holds: Result<bool, Signal>,
    hold: Duration,
    now: DateTime<Utc>,
) -> TriggerStatus {
    match holds {
        Ok(true) => {
            let start = *since.get_or_insert(now);
            let remaining = TimeDelta::from_std(hold).unwrap_or(TimeDelta::MAX) - (now - start);
            match remaining.to_std() {
                Ok(remaining) if !remaining.is_zero() => TriggerStatus::Waiting { since: start, remaining },
                _ => TriggerStatus::Fired { since: start },
            }
        }
        Ok(false) => {
            *since = None;
            TriggerStatus::Quiet
        }
        Err(signal) => {
            *since = None;
            TriggerStatus::Blind(signal)
        }
    }
}

/// The number before the policy's bounds, why, and whether the largest step cut it.
fn choose(triggers: &Triggers, inputs: &Inputs, policy: &Policy, now: DateTime<Utc>) -> (u32, Verdict, bool) {
    let current = inputs.instances;
    let value = |signal| inputs.usable(signal, now, policy.stale_after);
    if current == 0 {
        return match value(Signal::Queued) {
            Some(queued) if queued > 0.0 => (1, Verdict::Wake, false),
            Some(_) => (0, Verdict::Hold(HoldReason::Asleep), false),
            None => (0, Verdict::Hold(HoldReason::Missing(Signal::Queued)), false),
        };
    }
    let asks = [
        (triggers.queue, Signal::Queued, policy.queue.limit),
        (triggers.cpu, Signal::Cpu, policy.target),
        (triggers.memory, Signal::Memory, policy.target),
    ];
    let most = asks
        .into_iter()
        .filter(|(trigger, ..)| matches!(trigger, TriggerStatus::Fired { .. }))
        .filter_map(|(_, signal, aim)| Some((proportional(current, value(signal)?, aim), signal)))
        .max_by_key(|(wanted, _)| *wanted);
    if let Some((wanted, signal)) = most {
        let reach = scaled(current, policy.step_up_ratio).max(policy.step_up_min).max(1);
        let ceiling = current.saturating_add(reach);
        let wanted = wanted.max(current.saturating_add(1));
        return (wanted.min(ceiling), Verdict::Up(signal), wanted > ceiling);
    }
    match triggers.idle {
        TriggerStatus::Fired { .. } => step_down(current, policy, value),
        TriggerStatus::Blind(signal) => (current, Verdict::Hold(HoldReason::Missing(signal)), false),
        _ => (current, Verdict::Hold(HoldReason::Steady), false),
    }
}

fn step_down(current: u32, policy: &Policy, value: impl Fn(Signal) -> Option<f64>) -> (u32, Verdict, bool) {
    if current == 1 {
        for signal in [Signal::Queued, Signal::InFlight] {
            match value(signal) {
                None => return (1, Verdict::Hold(HoldReason::Missing(signal)), false),
                Some(work) if work > 0.0 => return (1, Verdict::Hold(HoldReason::WorkLeft(signal)), false),
                Some(_) => {}
            }
        }
        return (0, Verdict::Down, false);
    }
    let busiest = [Signal::Cpu, Signal::Memory].into_iter().filter_map(value).fold(0.0, f64::max);
    let wanted = proportional(current, busiest, policy.target).clamp(1, current - 1);
    let floor = scaled(current, policy.step_down_ratio).clamp(1, current - 1);
    (wanted.max(floor), Verdict::Down, wanted < floor)
}

/// `ceil(current × value / aim)`; a value of nothing sensible asks for nothing.
fn proportional(current: u32, value: f64, aim: f64) -> u32 {
    // Without the small cut 20 × 0.3 / 0.6 would come out as 10.000000000000002 and round up.
    whole((f64::from(current) * value / aim - 1e-9).ceil())
}

fn scaled(current: u32, ratio: f64) -> u32 {
    whole((f64::from(current) * ratio).ceil())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate, and not-a-number becomes zero"
)]
fn whole(number: f64) -> u32 {
    number as u32
}
