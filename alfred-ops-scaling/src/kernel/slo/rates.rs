//! How many messages come in a second.

use serde::{Deserialize, Serialize};

/// Beyond so many standard deviations a jump is no chance: less than one of ten thousand.
const JUMP: f64 = 4.0;

/// How many messages come in a second, averaged over three times, and how much that varies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Rates {
    sharp: f32,
    fast: f32,
    slow: f32,
    /// Variance of the sharp around the fast one.
    sharp_spread: f32,
    /// Variance of the fast around the slow one.
    spread: f32,
}

/// What is expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Expected {
    /// Messages a second now.
    pub(super) now: f64,
    /// The same after a start-up, if it grows as it does.
    pub(super) ahead: f64,
    /// The standard deviation.
    pub(super) deviation: f64,
}

impl Rates {
    /// Adds that `rate` messages a second came in the last `step` seconds, of `seen` seconds seen so far. Times are multiples
    /// of `scale`.
    pub(super) fn add(&mut self, rate: f64, step: f64, seen: f64, scale: f64) {
        follow(&mut self.sharp, rate, weight(step, scale / 10.0, seen));
        follow(&mut self.fast, rate, weight(step, scale / 3.0, seen));
        follow(&mut self.slow, rate, weight(step, 2.0 * scale, seen));
        let long = weight(step, 10.0 * scale, seen);
        let (jump, drift) = (f64::from(self.sharp - self.fast), f64::from(self.fast - self.slow));
        // A jump must not hide itself by what it adds to the spread.
        let jump_max = 2.0 * JUMP * f64::from(self.sharp_spread).sqrt();
        let jump = if self.sharp_spread > 0.0 { jump.clamp(-jump_max, jump_max) } else { jump };
        follow(&mut self.sharp_spread, jump * jump, long);
        follow(&mut self.spread, drift * drift, long);
    }

    /// What is expected `horizon` seconds ahead.
    pub(super) fn expected(&self, seen: f64, scale: f64, horizon: f64) -> Expected {
        let [sharp, fast, slow] = [self.sharp, self.fast, self.slow].map(f64::from);
        let jumped = seen > 2.0 * scale / 3.0 && sharp - fast > JUMP * f64::from(self.sharp_spread).sqrt();
        let now = if jumped { sharp.max(fast) } else { fast };
        // Two averages of one ramp lie as far apart as their times.
        let slope = ((fast - slow) / (2.0 * scale - scale / 3.0)).max(0.0);
        let now = now.max(slow);
        Expected { now, ahead: now + slope * horizon, deviation: f64::from(self.spread).sqrt() }
    }
}

/// What the newest `step` seconds count in an average over `over`, of which only `seen` have been seen.
fn weight(step: f64, over: f64, seen: f64) -> f64 {
    let ordinary = 1.0 - (-step / over).exp();
    let young = if seen > 0.0 { step / seen } else { 1.0 };
    ordinary.max(young).min(1.0)
}

#[expect(clippy::cast_possible_truncation, reason = "six digits of a rate are enough")]
fn follow(average: &mut f32, value: f64, weight: f64) {
    let old = f64::from(*average);
    *average = (old + weight * (value - old)) as f32;
}
