//! The decision by limits that have to be passed for a time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::state::{Last, RulesState};
use super::{Restart, Rules, RulesBasis, Threshold, TriggerStatus, Triggers};
use crate::kernel::look::Look;
use crate::kernel::number::ceil;
use crate::kernel::proposal::Proposal;
use crate::kernel::{Basis, HoldReason, Signal, Verdict};

/// Finds how many instances there should be by limits that have to be passed for a time.
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
///
/// The triggers' times start over at the first look at a changed number of instances, so that what the
/// change brought can take effect. It does not matter whose it was, nor whether its outcome was known; a
/// decision that could not be obeyed is taken again at the next look. The times also start over after a time
/// in which nobody looked (`stale_after`) and when the clock goes back: a trigger fires only on what was
/// seen.
pub(in crate::kernel) fn propose(state: &mut RulesState, rules: &Rules, look: &Look<'_>) -> Proposal {
    let restarted = restart(state, look);
    if restarted.is_some() {
        *state = RulesState::default();
    }
    let triggers = observe(state, rules, look);
    let (wanted, verdict, stepped) = choose(&triggers, rules, look);
    state.last = Some(Last { at: look.now, instances: look.current() });
    let basis = Basis::Rules(RulesBasis { restarted, triggers });
    Proposal { wanted, verdict, stepped, blind: None, basis }
}

/// Whether what was seen before still counts.
fn restart(state: &RulesState, look: &Look<'_>) -> Option<Restart> {
    let Last { at, instances } = state.last?;
    if look.is_cut_off_from(at) {
        return Some(Restart::Gap { since: at });
    }
    (instances != look.current()).then_some(Restart::Changed { from: instances })
}

/// Brings the state up to date and tells where each trigger stands.
fn observe(state: &mut RulesState, rules: &Rules, look: &Look<'_>) -> Triggers {
    let now = look.now;
    let value = |signal| look.value(signal).ok_or(signal);
    let over = |signal, threshold: Threshold| value(signal).map(|value| value > threshold.limit);
    // Nothing that does not run has processors or memory to use.
    let (cpu, memory) = if look.current() == 0 {
        (Ok(false), Ok(false))
    } else {
        (over(Signal::Cpu, rules.cpu), over(Signal::Memory, rules.memory))
    };
    let idle = || {
        let quiet = |signal| value(signal).map(|value| value < rules.idle.limit);
        let (cpu, memory) = (quiet(Signal::Cpu)?, quiet(Signal::Memory)?);
        let queue = value(Signal::Queued)? <= rules.queue.limit;
        Ok(cpu && memory && queue)
    };
    let idle = if look.current() == 0 { Ok(false) } else { idle() };
    Triggers {
        queue: follow(&mut state.queue_since, over(Signal::Queued, rules.queue), rules.queue.hold, now),
        cpu: follow(&mut state.cpu_since, cpu, rules.cpu.hold, now),
        memory: follow(&mut state.memory_since, memory, rules.memory.hold, now),
        idle: follow(&mut state.idle_since, idle, rules.idle.hold, now),
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
fn choose(triggers: &Triggers, rules: &Rules, look: &Look<'_>) -> (u32, Verdict, bool) {
    let current = look.current();
    let value = |signal| look.value(signal);
    if current == 0 {
        return match value(Signal::Queued) {
            Some(queued) if queued > 0.0 => (1, Verdict::Wake, false),
            Some(_) => (0, Verdict::Hold(HoldReason::Asleep), false),
            None => (0, Verdict::Hold(HoldReason::Missing(Signal::Queued)), false),
        };
    }
    let asks = [
        (triggers.queue, Signal::Queued, rules.queue.limit),
        (triggers.cpu, Signal::Cpu, rules.target),
        (triggers.memory, Signal::Memory, rules.target),
    ];
    let most = asks
        .into_iter()
        .filter(|(trigger, ..)| matches!(trigger, TriggerStatus::Fired { .. }))
        .filter_map(|(_, signal, aim)| Some((proportional(current, value(signal)?, aim), signal)))
        .max_by_key(|(wanted, _)| *wanted);
    if let Some((wanted, signal)) = most {
        let reach = scaled(current, rules.step_up_ratio).max(rules.step_up_min).max(1);
        let ceiling = current.saturating_add(reach);
        let wanted = wanted.max(current.saturating_add(1));
        return (wanted.min(ceiling), Verdict::Up(signal), wanted > ceiling);
    }
    match triggers.idle {
        TriggerStatus::Fired { .. } => step_down(current, rules, value),
        TriggerStatus::Blind(signal) => (current, Verdict::Hold(HoldReason::Missing(signal)), false),
        _ => (current, Verdict::Hold(HoldReason::Steady), false),
    }
}

fn step_down(current: u32, rules: &Rules, value: impl Fn(Signal) -> Option<f64>) -> (u32, Verdict, bool) {
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
    let wanted = proportional(current, busiest, rules.target).clamp(1, current - 1);
    let floor = scaled(current, rules.step_down_ratio).clamp(1, current - 1);
    (wanted.max(floor), Verdict::Down, wanted < floor)
}

/// `ceil(current × value / aim)`; a value of nothing sensible asks for nothing.
fn proportional(current: u32, value: f64, aim: f64) -> u32 {
    ceil(f64::from(current) * value / aim)
}

fn scaled(current: u32, ratio: f64) -> u32 {
    ceil(f64::from(current) * ratio)
}
