//! What the behaviour remembers, and what it makes of a recommendation.

use std::cmp::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{HpaBasis, HpaBehavior, HpaRules, HpaSelect};
use crate::kernel::window::before;

/// Recommendations and changes, as long as they count. Both are bounded: what is outdated is overwritten first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HpaHistory {
    recommendations: Vec<Timed>,
    ups: Vec<Timed>,
    downs: Vec<Timed>,
}

/// A number and when it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Timed {
    pub(super) at: DateTime<Utc>,
    pub(super) count: u32,
}

/// Beyond this many looks within a window the oldest are overwritten: an hour at 4 s.
const SAMPLES_MAX: usize = 900;

impl HpaHistory {
    /// Nothing is known of what was before.
    pub(super) fn is_empty(&self) -> bool {
        self.recommendations.is_empty()
    }

    /// What a change does to the number within the rates: instances that came, less those that went.
    fn changes_within(&self, period: Duration, now: DateTime<Utc>) -> i64 {
        let cutoff = before(now, period);
        // A change exactly at the cut-off does not count any more, and is not outdated yet.
        let sum = |changes: &[Timed]| -> i64 {
            changes.iter().filter(|change| change.at > cutoff).map(|change| i64::from(change.count)).sum()
        };
        sum(&self.ups) - sum(&self.downs)
    }

    /// Notes that `from` became `to`.
    fn note_change(&mut self, from: u32, to: u32, rules: &HpaRules, now: DateTime<Utc>) {
        let changes = if to > from { &mut self.ups } else { &mut self.downs };
        let cutoff = before(now, rules.longest_period());
        store(changes, Timed { at: now, count: to.abs_diff(from) }, |old| old.at < cutoff);
    }

    /// Notes what was recommended, in place of one that counts in neither window.
    pub(super) fn note_recommendation(&mut self, count: u32, windows: [Duration; 2], now: DateTime<Utc>) {
        let [up, down] = windows.map(|window| before(now, window));
        store(&mut self.recommendations, Timed { at: now, count }, |old| old.at < up && old.at < down);
    }
}

/// Stores `new` in the last slot that is outdated, or a new one.
fn store(slots: &mut Vec<Timed>, new: Timed, outdated: impl Fn(&Timed) -> bool) {
    let slot = slots.iter().rposition(outdated).or_else(|| {
        let oldest = || slots.iter().enumerate().min_by_key(|(_, slot)| slot.at).map(|(place, _)| place);
        (slots.len() >= SAMPLES_MAX).then(oldest).flatten()
    });
    match slot.and_then(|place| slots.get_mut(place)) {
        Some(slot) => *slot = new,
        None => slots.push(new),
    }
}

impl HpaBehavior {
    /// What becomes of a recommendation at `now`: stabilised, then within the rates and `min` and `max`. The result counts as
    /// obeyed.
    ///
    /// Bit for bit what Kubernetes 1.27 and newer do (`normalizeDesiredReplicasWithBehaviors`), including what they forget
    /// early: a change takes the place of one that is outdated by the periods of its own direction.
    pub fn apply(
        &self,
        history: &mut HpaHistory,
        current: u32,
        recommended: u32,
        (min, max): (u32, u32),
        now: DateTime<Utc>,
    ) -> HpaBasis {
        let stabilised = stabilise(history, self, current, recommended, now);
        // The recommendation itself is remembered, and not what became of it.
        history.note_recommendation(recommended, self.windows(), now);
        let limited = limit(history, self, current, stabilised, (min, max), now);
        if limited != current {
            let rules = if limited > current { &self.up } else { &self.down };
            history.note_change(current, limited, rules, now);
        }
        HpaBasis { recommended, stabilised, limited }
    }

    pub(super) const fn windows(&self) -> [Duration; 2] {
        [self.up.window, self.down.window]
    }
}

fn stabilise(
    history: &HpaHistory,
    behavior: &HpaBehavior,
    current: u32,
    recommended: u32,
    now: DateTime<Utc>,
) -> u32 {
    let [up_from, down_from] = behavior.windows().map(|window| before(now, window));
    let (mut up, mut down) = (recommended, recommended);
    for sample in &history.recommendations {
        // A sample exactly at the cut-off does not count any more.
        if sample.at > up_from {
            up = up.min(sample.count);
        }
        if sample.at > down_from {
            down = down.max(sample.count);
        }
    }
    current.max(up).min(down)
}

fn limit(
    history: &HpaHistory,
    behavior: &HpaBehavior,
    current: u32,
    wanted: u32,
    (min, max): (u32, u32),
    now: DateTime<Utc>,
) -> u32 {
    let start = |period| i64::from(current) - history.changes_within(period, now);
    let HpaBehavior { up, down } = behavior;
    match wanted.cmp(&current) {
        Ordering::Greater => {
            let allowed = up.policies.iter().map(|policy| policy.up_from(start(policy.period)));
            let allowed = match up.select {
                HpaSelect::Max => allowed.max(),
                HpaSelect::Min => allowed.min(),
                HpaSelect::Disabled => None,
            };
            // Limits never push against what is there.
            wanted.min(count(allowed, current).max(current).min(max))
        }
        Ordering::Less => {
            let allowed = down.policies.iter().map(|policy| policy.down_from(start(policy.period)));
            let allowed = match down.select {
                HpaSelect::Max => allowed.min(),
                HpaSelect::Min => allowed.max(),
                HpaSelect::Disabled => None,
            };
            wanted.max(count(allowed, current).min(current).max(min))
        }
        Ordering::Equal => wanted,
    }
}

/// What the policies allow as a number; `current` if they allow nothing.
fn count(allowed: Option<i64>, current: u32) -> u32 {
    allowed.map_or(current, |allowed| u32::try_from(allowed.max(0)).unwrap_or(u32::MAX))
}
