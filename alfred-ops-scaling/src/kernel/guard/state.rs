//! What the safeguards remember.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Rate;
use crate::kernel::look::Look;
use crate::kernel::moment::Moment;
use crate::kernel::peaks::Peaks;

/// As many turns are remembered.
pub(super) const FLAPS_MAX: usize = 4;

/// What the safeguards remember, in about 100 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::kernel) struct GuardState {
    /// As many there were at the last look.
    instances: Option<u16>,
    /// The last change that was seen.
    last: Option<Change>,
    /// When instances came last.
    last_up: Option<Moment>,
    /// The last turns from up to down, the oldest first.
    turns: [Option<Moment>; FLAPS_MAX],
    /// What has been used of the rates.
    up: Used,
    down: Used,
    /// Since when signals cannot be believed.
    blind_since: Option<Moment>,
    /// What was wanted.
    pub(super) wanted: Peaks,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Change {
    Up,
    Down,
}

/// What has been used of a rate, as of the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Used {
    instances: f32,
    at: Moment,
}

impl GuardState {
    /// Takes in what is seen, and says when it is.
    pub(super) fn see(&mut self, look: &Look<'_>, rates: [Option<Rate>; 2]) -> Moment {
        let (current, now) = (look.current(), look.moment);
        let [up, down] = rates;
        self.up.give_back(up, now);
        self.down.give_back(down, now);
        let before = self.instances.replace(u16::try_from(current).unwrap_or(u16::MAX));
        if before.is_none() {
            // What was before the first look is not known.
            self.wanted.note(now, current);
        }
        let before = before.map_or(current, u32::from);
        if current > before {
            self.up.add(current - before);
            (self.last, self.last_up) = (Some(Change::Up), Some(now));
        } else if current < before {
            self.down.add(before - current);
            if self.last == Some(Change::Up) {
                self.turns.rotate_left(1);
                self.turns[FLAPS_MAX - 1] = Some(now);
            }
            self.last = Some(Change::Down);
        }
        now
    }

    /// How many instances may come now.
    pub(super) fn may_come(&self, rate: Option<Rate>) -> u32 {
        self.up.left(rate)
    }

    /// How many may go.
    pub(super) fn may_go(&self, rate: Option<Rate>) -> u32 {
        self.down.left(rate)
    }

    /// Whether instances came within this time.
    pub(super) fn has_grown(&self, within: Duration, now: Moment) -> bool {
        self.last_up.is_some_and(|at| now.since(at) < within.as_secs_f64())
    }

    /// Whether going down would be a turn, and how many there were within a time.
    pub(super) fn turns_within(&self, within: Duration, now: Moment) -> Option<usize> {
        let recent = |at: &&Moment| now.since(**at) < within.as_secs_f64();
        (self.last == Some(Change::Up)).then(|| self.turns.iter().flatten().filter(recent).count())
    }

    /// Seconds since signals could be believed.
    pub(super) fn blind_for(&mut self, blind: bool, now: Moment) -> f64 {
        if !blind {
            self.blind_since = None;
            return 0.0;
        }
        now.since(*self.blind_since.get_or_insert(now))
    }
}

impl Used {
    #[expect(clippy::cast_possible_truncation, reason = "a number of instances and its parts")]
    fn give_back(&mut self, rate: Option<Rate>, now: Moment) {
        if let Some(Rate { instances, period }) = rate {
            let back = now.since(self.at) * f64::from(instances) / period.as_secs_f64();
            self.instances = (f64::from(self.instances) - back).max(0.0) as f32;
        }
        self.at = now;
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of instances are small")]
    fn add(&mut self, instances: u32) {
        self.instances += instances as f32;
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float casts saturate, and what is left is not negative"
    )]
    fn left(&self, rate: Option<Rate>) -> u32 {
        rate.map_or(u32::MAX, |rate| (f64::from(rate.instances) - f64::from(self.instances)).max(0.0) as u32)
    }
}
