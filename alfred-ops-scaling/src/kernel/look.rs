//! One look at a service.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::moment::Moment;
use super::{Inputs, Policy, Reading, Signal};

/// Clocks of different machines differ by a little.
const FUTURE_MAX: TimeDelta = TimeDelta::seconds(5);

/// One look at a service: what is known, when, and within what a number must stay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'i> {
    pub(super) inputs: &'i Inputs,
    pub(super) now: DateTime<Utc>,
    /// The same in the state's time.
    pub(super) moment: Moment,
    pub(super) min: u32,
    pub(super) max: u32,
    stale_after: TimeDelta,
}

impl<'i> Look<'i> {
    pub(super) fn new(inputs: &'i Inputs, policy: &Policy, now: DateTime<Utc>, moment: Moment) -> Self {
        let stale_after = TimeDelta::from_std(policy.stale_after).unwrap_or(TimeDelta::MAX);
        Self { inputs, now, moment, min: policy.min.min(policy.max), max: policy.max, stale_after }
    }

    /// Instances configured at present.
    pub(super) const fn current(&self) -> u32 {
        self.inputs.instances
    }

    /// Instances that work already; all of them where the platform does not tell.
    pub(super) fn ready(&self) -> u32 {
        self.inputs.ready.unwrap_or(self.inputs.instances).min(self.inputs.instances)
    }

    /// A signal's value if it can be believed: present, not stale, not from the future, a finite number within sense.
    pub(super) fn value(&self, signal: Signal) -> Option<f64> {
        Some(self.reading(signal)?.value)
    }

    /// The same with the time when it was true.
    pub(super) fn reading(&self, signal: Signal) -> Option<Reading> {
        let reading = self.inputs.reading(signal)?;
        let age = self.now - reading.at;
        let fresh = age <= self.stale_after && age >= -FUTURE_MAX;
        (fresh && (0.0..=signal.max()).contains(&reading.value)).then_some(reading)
    }

    /// How old a reading is, zero if it comes from the future.
    pub(super) fn age(&self, reading: Reading) -> Duration {
        (self.now - reading.at).to_std().unwrap_or_default()
    }

    /// The same of a moment.
    pub(super) fn is_cut_off_from_moment(&self, last: Moment) -> bool {
        self.moment < last || self.moment.since(last) > self.stale_after.as_seconds_f64()
    }

    /// Whether nobody looked for so long, or the clock went back, that what was seen at `last` no longer counts.
    pub(super) fn is_cut_off_from(&self, last: DateTime<Utc>) -> bool {
        let pause = self.now - last;
        pause < TimeDelta::zero() || pause > self.stale_after
    }
}
