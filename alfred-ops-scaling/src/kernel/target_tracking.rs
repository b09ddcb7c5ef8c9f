//! A share of the processors that is kept.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::look::Look;
use super::number::ceil;
use super::proposal::Proposal;
use super::{Basis, HoldReason, Signal, Verdict};

/// Keeps the share of the processors in use, averaged over a window, at a target: at once to `ceil(ready × average / target)`.
///
/// With a minute and 0.6 it is what Cloud Run says of its own autoscaler.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TargetTracking {
    /// The share that is kept.
    pub target: f64,
    /// What the average goes over; older looks count ever less.
    pub window: Duration,
}

impl TargetTracking {
    /// Keeps this share over a minute.
    #[must_use]
    pub const fn new(target: f64) -> Self {
        Self { target, window: Duration::from_secs(60) }
    }

    pub(super) fn check(&self, mistakes: &mut Vec<String>) {
        if !(0.0..=1.0).contains(&self.target) || self.target <= 0.0 {
            mistakes.push(format!("target_tracking.target: {} is not within 0 and 1", self.target));
        }
        if self.window.is_zero() {
            mistakes.push("target_tracking.window: 0 averages nothing".to_owned());
        }
    }
}

/// The share that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrackingBasis {
    /// Instances' worth of processors in use, averaged.
    pub busy: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct TrackingState {
    last: Option<DateTime<Utc>>,
    since: Option<DateTime<Utc>>,
    busy: f64,
}

pub(super) fn propose(state: &mut TrackingState, tracking: &TargetTracking, look: &Look<'_>) -> Proposal {
    let current = look.current();
    if state.last.is_some_and(|last| look.is_cut_off_from(last)) {
        *state = TrackingState::default();
    }
    let unchanged = |reason, blind, busy| {
        let basis = Basis::Tracking(TrackingBasis { busy });
        Proposal { wanted: current, verdict: Verdict::Hold(reason), stepped: false, blind, basis }
    };
    if current == 0 {
        return match look.value(Signal::Queued) {
            Some(queued) if queued > 0.0 => {
                Proposal { wanted: 1, verdict: Verdict::Wake, ..unchanged(HoldReason::Steady, None, 0.0) }
            }
            Some(_) => unchanged(HoldReason::Asleep, None, 0.0),
            None => unchanged(HoldReason::Missing(Signal::Queued), Some(Signal::Queued), 0.0),
        };
    }
    let Some(cpu) = look.value(Signal::Cpu) else {
        return unchanged(HoldReason::Missing(Signal::Cpu), Some(Signal::Cpu), state.busy);
    };
    let busy = cpu * f64::from(look.ready());
    let since = *state.since.get_or_insert(look.now);
    let weight = state.last.map_or(1.0, |last| {
        let step = (look.now - last).as_seconds_f64();
        let ordinary = 1.0 - (-step / tracking.window.as_secs_f64()).exp();
        ordinary.max(step / ((look.now - since).as_seconds_f64() + step)).min(1.0)
    });
    state.busy += weight * (busy - state.busy);
    state.last = Some(look.now);
    let wanted = ceil(state.busy / tracking.target).max(1);
    let whole_window = (look.now - since).to_std().is_ok_and(|seen| seen >= tracking.window);
    if wanted < current && !whole_window {
        return unchanged(HoldReason::Learning, None, state.busy);
    }
    let verdict = match wanted {
        _ if wanted > current => Verdict::Up(Signal::Cpu),
        _ if wanted < current => Verdict::Down,
        _ => Verdict::Hold(HoldReason::Steady),
    };
    let basis = Basis::Tracking(TrackingBasis { busy: state.busy });
    Proposal { wanted, verdict, stepped: false, blind: None, basis }
}
