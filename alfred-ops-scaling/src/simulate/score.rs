//! What a run came to.

use std::time::Duration;

use serde::Serialize;

/// What a run came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Score {
    /// Hundredths of all requests that waited longer than they should, those that still wait at the end included.
    pub violations_percent: f64,
    /// Instance-seconds, over those of someone who knows what comes and whose instances start at once: in each second as many
    /// as its requests take, within the bounds.
    pub cost_ratio: f64,
    /// Changes of direction within ten minutes of the change before.
    pub reversals: u32,
    /// Instance-seconds.
    pub instance_seconds: f64,
    /// The most instances at once.
    pub instances_max: u32,
}

/// Counts changes of direction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reversals {
    /// The last change: upwards or not, and when.
    last: Option<(bool, Duration)>,
    pub(super) count: u32,
}

/// Changes that lie further apart follow the load.
const REVERSAL_WITHIN: Duration = Duration::from_secs(600);

impl Reversals {
    pub(super) fn note(&mut self, from: u32, to: u32, at: Duration) {
        if from == to {
            return;
        }
        let up = to > from;
        if self.last.is_some_and(|(last, since)| last != up && at.saturating_sub(since) <= REVERSAL_WITHIN) {
            self.count += 1;
        }
        self.last = Some((up, at));
    }
}
