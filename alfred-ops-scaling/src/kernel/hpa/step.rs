//! The autoscaler's decision.

use std::cmp::Ordering;

use super::state::HpaState;
use super::{HpaBasis, HpaMetric, HpaV2};
use crate::kernel::look::Look;
use crate::kernel::number::ceil;
use crate::kernel::proposal::Proposal;
use crate::kernel::{Basis, HoldReason, Signal, Verdict};

/// Finds the number as `horizontal.go` of Kubernetes does.
pub(in crate::kernel) fn propose(state: &mut HpaState, hpa: &HpaV2, look: &Look<'_>) -> Proposal {
    let current = look.current();
    if state.last.is_some_and(|last| look.is_cut_off_from(last)) {
        *state = HpaState::default();
    }
    if state.history.is_empty() {
        // What was before the first look is not known: it must not scale down on that.
        state.history.note_recommendation(current, hpa.behavior.windows(), look.now);
    }
    state.last = Some(look.now);
    let (asked, blind) = recommend(hpa, look);
    let Some((recommended, signal)) = asked else {
        let missing = blind.unwrap_or(Signal::Cpu);
        let basis = HpaBasis { recommended: current, stabilised: current, limited: current };
        return hold(current, HoldReason::Missing(missing), blind, basis);
    };
    // With any metric unknown it never scales down.
    let recommended = if blind.is_some() { recommended.max(current) } else { recommended };
    let recommended = recommended.clamp(look.min, look.max);
    let basis = hpa.behavior.apply(&mut state.history, current, recommended, (look.min, look.max), look.now);
    let HpaBasis { stabilised, limited, .. } = basis;
    let verdict = match limited.cmp(&current) {
        Ordering::Greater if current == 0 => Verdict::Wake,
        Ordering::Greater => Verdict::Up(signal),
        Ordering::Less => Verdict::Down,
        Ordering::Equal => match blind {
            Some(blind) => Verdict::Hold(HoldReason::Missing(blind)),
            None => Verdict::Hold(HoldReason::Steady),
        },
    };
    Proposal { wanted: limited, verdict, stepped: limited != stabilised, blind, basis: Basis::Hpa(basis) }
}

fn hold(wanted: u32, reason: HoldReason, blind: Option<Signal>, basis: HpaBasis) -> Proposal {
    Proposal { wanted, verdict: Verdict::Hold(reason), stepped: false, blind, basis: Basis::Hpa(basis) }
}

/// The largest number that a metric asks for, and a metric that cannot be believed.
fn recommend(hpa: &HpaV2, look: &Look<'_>) -> (Option<(u32, Signal)>, Option<Signal>) {
    let (mut most, mut blind): (Option<(u32, Signal)>, _) = (None, None);
    for metric in &hpa.metrics {
        let signal = match metric {
            HpaMetric::Cpu(_) => Signal::Cpu,
            HpaMetric::Memory(_) => Signal::Memory,
            HpaMetric::QueuedEach(_) => Signal::Queued,
        };
        // Nothing that does not run has processors or memory to use.
        if look.current() == 0 && signal != Signal::Queued {
            continue;
        }
        let Some(value) = look.value(signal) else {
            blind = Some(signal);
            continue;
        };
        let asked = asked(*metric, value, hpa.tolerance, look);
        if most.is_none_or(|(most, _)| asked > most) {
            most = Some((asked, signal));
        }
    }
    (most, blind)
}

/// `ceil(ready × value / target)`, and for a sum over all instances `ceil(sum / target)`; unchanged within the tolerance.
fn asked(metric: HpaMetric, value: f64, tolerance: f64, look: &Look<'_>) -> u32 {
    let (current, target) = (look.current(), metric.target());
    let each = match metric {
        HpaMetric::QueuedEach(_) if current == 0 => return ceil(value / target),
        HpaMetric::QueuedEach(_) => value / f64::from(current),
        HpaMetric::Cpu(_) | HpaMetric::Memory(_) => value,
    };
    let ratio = each / target;
    if (ratio - 1.0).abs() <= tolerance {
        return current;
    }
    match metric {
        HpaMetric::QueuedEach(_) => ceil(value / target),
        HpaMetric::Cpu(_) | HpaMetric::Memory(_) => ceil(ratio * f64::from(look.ready().max(1))),
    }
}
