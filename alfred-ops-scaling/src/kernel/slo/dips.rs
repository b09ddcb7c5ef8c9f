//! How long demand stays low before it comes back.

use serde::{Deserialize, Serialize};

use crate::kernel::moment::Moment;

/// Lengths of dips are told apart by doublings of half a start-up; all that are longer are of the last class.
const CLASSES: usize = 6;
/// What older dips count once another is noted.
const MEMORY: f32 = 0.95;
/// What each doubling of the length counts before anything was seen, up to two orders beyond a start-up: the last class stands
/// for three of them.
const PRIOR: f64 = 0.25;
const PRIOR_OF_LAST: f64 = 3.0 * PRIOR;

/// How long demand stays low before it comes back, and how long instances should wait for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Dips {
    counts: [f32; CLASSES],
    /// Since when less is needed than there is.
    since: Option<Moment>,
    /// As many there were before instances went, and since when they were not needed.
    gone: Option<(u32, Moment)>,
}

impl Dips {
    /// What was learnt, with nothing under way.
    pub(super) const fn without_times(&self) -> Self {
        Self { counts: self.counts, since: None, gone: None }
    }

    /// Looks at what is `needed` while there are `current`.
    pub(super) fn follow(&mut self, needed: u32, current: u32, now: Moment, scale: f64) {
        if needed < current {
            self.since.get_or_insert(now);
        } else if let Some(since) = self.since.take() {
            self.note(now.since(since), scale);
        }
        if let Some((level, since)) = self.gone {
            let length = now.since(since);
            if needed >= level || length > longest(scale) {
                self.note(length, scale);
                self.gone = None;
            }
        }
    }

    /// Notes that instances go although demand may come back.
    pub(super) fn note_departure(&mut self, from: u32, now: Moment) {
        let since = self.since.take().unwrap_or(now);
        self.gone.get_or_insert((from, since));
    }

    /// The wait that costs least over the dips so far, if an instance that is missing costs `restart` instance-seconds: the
    /// problem of renting skis, with a past to learn from. Without one all lengths count alike.
    pub(super) fn hold(&self, restart: f64, scale: f64) -> f64 {
        let mut missed: f64 = self.weights().map(|(weight, _)| weight).sum();
        let (mut best, mut least) = (0.0, f64::INFINITY);
        let (mut candidate, mut waited) = (scale / 2.0, 0.0);
        for (weight, is_last) in self.weights() {
            // The last class has no end, and is waited for in vain.
            if is_last || candidate > 2.0 * restart {
                break;
            }
            // Dips of this class and of shorter ones are waited for, on average to the middle of the class.
            waited += weight * 0.75 * candidate;
            missed -= weight;
            let cost = waited + missed * (candidate + restart);
            if cost < least {
                (best, least) = (candidate, cost);
            }
            candidate *= 2.0;
        }
        best
    }

    /// What each class counts, and whether it is the last.
    fn weights(&self) -> impl Iterator<Item = (f64, bool)> {
        self.counts.iter().enumerate().map(|(class, count)| {
            let is_last = class + 1 == CLASSES;
            (f64::from(*count) + if is_last { PRIOR_OF_LAST } else { PRIOR }, is_last)
        })
    }

    fn note(&mut self, length: f64, scale: f64) {
        for count in &mut self.counts {
            *count *= MEMORY;
        }
        let mut longest = scale / 2.0;
        let mut class = 0;
        while length > longest && class + 1 < CLASSES {
            longest *= 2.0;
            class += 1;
        }
        if let Some(count) = self.counts.get_mut(class) {
            *count += 1.0;
        }
    }
}

/// Dips beyond this are all of the longest class.
fn longest(scale: f64) -> f64 {
    64.0 * scale
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    fn hold_after(lengths: &[f64]) -> f64 {
        let mut dips = Dips::default();
        for length in lengths {
            dips.note(*length, 30.0);
        }
        dips.hold(300.0, 30.0)
    }

    #[test]
    fn the_hold_follows_what_dips_were_like() {
        assert!((60.0..=240.0).contains(&hold_after(&[])), "neither extreme without a past");
        assert!(hold_after(&[100.0; 20]) >= 100.0, "demand that comes back in 100 s is waited for");
        assert!(hold_after(&[4000.0; 40]) <= 30.0, "demand that stays away is not");
    }

    #[test]
    fn dips_are_measured_to_the_end_whether_instances_went_or_not() {
        let moment = |seconds: i64| {
            Moment::of(DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds), DateTime::UNIX_EPOCH)
        };
        let mut dips = Dips::default();
        dips.follow(3, 5, moment(10), 30.0);
        dips.follow(5, 5, moment(20), 30.0);
        assert!(dips.counts[0] > 0.9, "10 s");
        dips.follow(3, 5, moment(100), 30.0);
        dips.note_departure(5, moment(160));
        dips.follow(3, 3, moment(161), 30.0);
        dips.follow(5, 3, moment(310), 30.0);
        assert!(dips.counts[4] > 0.9, "210 s: {:?}", dips.counts);
    }
}
