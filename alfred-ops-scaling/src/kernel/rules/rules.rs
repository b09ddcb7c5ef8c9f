//! The brief's triggers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A limit that counts once it has been passed for a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// The limit itself; a value equal to it does not pass it.
    pub limit: f64,
    /// For how long.
    pub hold: Duration,
}

/// Limits that have to be passed for a time. The default is the brief's: a queue over 1,000 for 5 minutes, processors or memory
/// over 80 % for 2 minutes; down below 40 % for 10 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rules {
    /// More waiting messages than this scale up.
    pub queue: Threshold,
    /// A larger share of the processors than this scales up.
    pub cpu: Threshold,
    /// A larger share of the memory than this scales up.
    pub memory: Threshold,
    /// Shares of both below this scale down.
    pub idle: Threshold,
    /// The share that a step aims at: between idle and busy, so that one step is not undone by the next.
    pub target: f64,
    /// One step up adds at most this many times what is there, but always up to `step_up_min`.
    pub step_up_ratio: f64,
    /// See `step_up_ratio`.
    pub step_up_min: u32,
    /// One step down leaves at least this share of what is there, but may always take one.
    pub step_down_ratio: f64,
}

impl Default for Rules {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            queue: Threshold { limit: 1000.0, hold: minutes(5) },
            cpu: Threshold { limit: 0.8, hold: minutes(2) },
            memory: Threshold { limit: 0.8, hold: minutes(2) },
            idle: Threshold { limit: 0.4, hold: minutes(10) },
            target: 0.6,
            step_up_ratio: 1.0,
            step_up_min: 4,
            step_down_ratio: 0.5,
        }
    }
}

impl Rules {
    pub(in crate::kernel) fn check(&self, mistakes: &mut Vec<String>) {
        let Self { queue, cpu, memory, idle, target, .. } = *self;
        let mut demand = |holds: bool, mistake: &dyn Fn() -> String| {
            if !holds {
                mistakes.push(mistake());
            }
        };
        for (name, limit) in [("queue", queue.limit), ("cpu", cpu.limit), ("memory", memory.limit)] {
            demand(limit.is_finite() && limit > 0.0, &|| format!("{name}.limit: {limit} is not above 0"));
        }
        demand(idle.limit > 0.0, &|| format!("idle.limit: {} is not above 0", idle.limit));
        // Otherwise the outcome of one step would cause the next.
        let busy = cpu.limit.min(memory.limit);
        demand(idle.limit <= target && target <= busy, &|| {
            format!("target: {target} is not between idle.limit: {} and cpu and memory: {busy}", idle.limit)
        });
        let (up, down) = (self.step_up_ratio, self.step_down_ratio);
        demand(up.is_finite() && up >= 0.0, &|| format!("step_up_ratio: {up} is negative or no number"));
        demand((0.0..1.0).contains(&down), &|| format!("step_down_ratio: {down} is not within 0 and 1"));
    }
}
