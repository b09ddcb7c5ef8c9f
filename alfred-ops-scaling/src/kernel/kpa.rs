//! What Knative's pod autoscaler does.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::look::Look;
use super::number::{ceil, floor};
use super::proposal::Proposal;
use super::window::before;
use super::{Basis, HoldReason, Signal, Verdict};

/// What Knative's pod autoscaler does: as many instances as the messages present need, averaged over a minute, and over six
/// seconds while there are far too few.
///
/// It is to be asked every 2 s. Messages present are those that wait and those in work. Source: Knative Serving,
/// `pkg/autoscaler/scaling/autoscaler.go`, with the defaults of its `config-autoscaler`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Kpa {
    /// Messages that one instance works on at a time, at most: `container-concurrency`.
    pub concurrency: f64,
    /// The share of it that is aimed at.
    pub utilisation: f64,
    /// What the ordinary average goes over.
    pub stable_window: Duration,
    /// What the average in a panic goes over.
    pub panic_window: Duration,
    /// So many times what there is has to be wanted for a panic.
    pub panic_threshold: f64,
    /// One step up leads to this many times what is ready at most.
    pub up_rate: f64,
    /// One step down leaves what is ready divided by this.
    pub down_rate: f64,
}

impl Kpa {
    /// Instances that work on so many messages at a time, with Knative's defaults.
    #[must_use]
    pub const fn new(concurrency: f64) -> Self {
        Self {
            concurrency,
            utilisation: 0.7,
            stable_window: Duration::from_secs(60),
            panic_window: Duration::from_secs(6),
            panic_threshold: 2.0,
            up_rate: 1000.0,
            down_rate: 2.0,
        }
    }

    pub(super) fn check(&self, mistakes: &mut Vec<String>) {
        let positive = [
            ("concurrency", self.concurrency),
            ("utilisation", self.utilisation),
            ("panic_threshold", self.panic_threshold),
        ];
        for (name, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                mistakes.push(format!("kpa.{name}: {value} is not above 0"));
            }
        }
        for (name, value) in [("up_rate", self.up_rate), ("down_rate", self.down_rate)] {
            if !(value.is_finite() && value > 1.0) {
                mistakes.push(format!("kpa.{name}: {value} is not above 1"));
            }
        }
        let (stable, panic) = (self.stable_window, self.panic_window);
        if panic.is_zero() || panic > stable || stable > Duration::from_secs(3600) {
            mistakes.push(format!(
                "kpa.panic_window: {panic:?} is not within 0 and stable_window: {stable:?}, of an hour at most"
            ));
        }
    }
}

/// What both windows of Knative's autoscaler show.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KpaBasis {
    /// Messages present, averaged over the stable window.
    pub stable: f64,
    /// The same over the panic window.
    pub panic: f64,
    /// Whether there is a panic.
    pub panicking: bool,
}

/// Messages present at each look of the stable window, and the panic under way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct KpaState {
    samples: VecDeque<Sample>,
    panic: Option<Panic>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Sample {
    at: DateTime<Utc>,
    present: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Panic {
    /// When it was last over the threshold.
    last: DateTime<Utc>,
    /// The most that was wanted so far.
    most: u32,
}

/// More looks than this within a window push out the oldest.
const SAMPLES_MAX: usize = 3600;

pub(super) fn propose(state: &mut KpaState, kpa: &Kpa, look: &Look<'_>) -> Proposal {
    let current = look.current();
    if state.samples.back().is_some_and(|last| look.is_cut_off_from(last.at)) {
        *state = KpaState::default();
    }
    let blind = [Signal::Queued, Signal::InFlight].into_iter().find(|signal| look.value(*signal).is_none());
    if let Some(signal) = blind {
        let [stable, panic] =
            [kpa.stable_window, kpa.panic_window].map(|window| state.mean(window, look.now));
        let basis = Basis::Kpa(KpaBasis { stable, panic, panicking: state.panic.is_some() });
        let verdict = Verdict::Hold(HoldReason::Missing(signal));
        return Proposal { wanted: current, verdict, stepped: false, blind, basis };
    }
    let present = look.value(Signal::Queued).unwrap_or(0.0) + look.value(Signal::InFlight).unwrap_or(0.0);
    state.note(Sample { at: look.now, present }, kpa, current);
    let (stable, panic) = (state.mean(kpa.stable_window, look.now), state.mean(kpa.panic_window, look.now));
    let ready = look.ready().max(1);
    let wanted = |present: f64| {
        let highest = ceil(kpa.up_rate * f64::from(ready));
        let lowest = if stable > 0.0 || current > 1 { floor(f64::from(ready) / kpa.down_rate) } else { 0 };
        ceil(present / (kpa.concurrency * kpa.utilisation)).clamp(lowest.min(highest), highest)
    };
    let (stable_wanted, panic_wanted) = (wanted(stable), wanted(panic));
    state.follow_panic(f64::from(panic_wanted) / f64::from(ready) >= kpa.panic_threshold, current, kpa, look);
    let desired = match &mut state.panic {
        Some(panic) => {
            panic.most = panic.most.max(panic_wanted);
            panic.most
        }
        None => stable_wanted,
    };
    let basis = Basis::Kpa(KpaBasis { stable, panic, panicking: state.panic.is_some() });
    let verdict = match desired {
        _ if desired > current && current == 0 => Verdict::Wake,
        _ if desired > current => Verdict::Up(Signal::InFlight),
        _ if desired < current => Verdict::Down,
        _ => Verdict::Hold(HoldReason::Steady),
    };
    Proposal { wanted: desired, verdict, stepped: false, blind: None, basis }
}

impl KpaState {
    fn note(&mut self, sample: Sample, kpa: &Kpa, current: u32) {
        if self.samples.is_empty() && current > 0 {
            // What was before the first look is not known: it starts as if there had been work for all.
            let present = sample.present.max(f64::from(current) * kpa.concurrency * kpa.utilisation);
            self.samples.push_back(Sample { present, ..sample });
            return;
        }
        let cutoff = before(sample.at, kpa.stable_window);
        while self.samples.front().is_some_and(|old| old.at <= cutoff) || self.samples.len() >= SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    fn mean(&self, window: Duration, now: DateTime<Utc>) -> f64 {
        let cutoff = before(now, window);
        let within = self.samples.iter().rev().take_while(|sample| sample.at > cutoff);
        let (count, sum) =
            within.fold((0_u32, 0.0), |(count, sum), sample| (count + 1, sum + sample.present));
        if count == 0 { 0.0 } else { sum / f64::from(count) }
    }

    fn follow_panic(&mut self, over: bool, current: u32, kpa: &Kpa, look: &Look<'_>) {
        if over {
            let most = self.panic.map_or(current, |panic| panic.most);
            self.panic = Some(Panic { last: look.now, most });
        } else if self.panic.is_some_and(|panic| panic.last <= before(look.now, kpa.stable_window)) {
            self.panic = None;
        }
    }
}
