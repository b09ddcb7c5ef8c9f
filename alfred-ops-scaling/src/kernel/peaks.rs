//! The most of a number within a time.

use serde::{Deserialize, Serialize};

use super::moment::Moment;

/// As many steps of the falling staircase are kept apart.
const STEPS: usize = 4;

/// The most that a number was within a time before now.
///
/// Of what was, only what may still become the most is kept: later numbers that are smaller. Where more than four would be,
/// the two that differ least become one, later and larger than both: the answer may hold on longer, and is never too small.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Peaks {
    at: [Moment; STEPS],
    level: [u16; STEPS],
    count: u8,
}

impl Peaks {
    /// Notes the number of now.
    pub(super) fn note(&mut self, now: Moment, number: u32) {
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        let mut count = usize::from(self.count);
        while count > 0 && self.level[count - 1] <= number {
            count -= 1;
        }
        if count == STEPS {
            self.merge();
            count -= 1;
        }
        self.at[count] = now;
        self.level[count] = number;
        self.count = u8::try_from(count + 1).unwrap_or(0);
    }

    /// The most of the last so many seconds; what is older is forgotten.
    pub(super) fn most(&mut self, now: Moment, seconds: f64) -> u32 {
        let count = usize::from(self.count);
        let old = self.at[..count].iter().take_while(|at| now.since(**at) > seconds).count();
        // The last number is the present one, however long ago it was noted.
        let old = old.min(count.saturating_sub(1));
        self.at.copy_within(old..count, 0);
        self.level.copy_within(old..count, 0);
        self.count -= u8::try_from(old).unwrap_or(0);
        u32::from(self.level[0])
    }

    /// Makes one step of the two that differ least: as high as the first, as late as the second.
    fn merge(&mut self) {
        let drop = |place: &usize| self.level[*place] - self.level[*place + 1];
        let place = (0..STEPS - 1).min_by_key(drop).unwrap_or(0);
        self.at.copy_within(place + 1.., place);
        self.level.copy_within(place + 2.., place + 1);
        self.count -= 1;
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use proptest::prelude::*;

    use super::*;

    fn moment(seconds: i64) -> Moment {
        Moment::of(DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds), DateTime::UNIX_EPOCH)
    }

    proptest! {
        #[test]
        fn the_most_is_never_too_small_and_never_more_than_ever(
            numbers in prop::collection::vec((1i64..20, 0u32..40), 1..80),
            window in 0u32..120,
        ) {
            let (mut peaks, mut now, mut all) = (Peaks::default(), 0, Vec::new());
            for (pause, number) in numbers {
                now += pause;
                all.push((now, number));
                peaks.note(moment(now), number);
                let within = all.iter().filter(|(at, _)| now - at <= i64::from(window)).map(|(_, n)| *n);
                let (most, ever) = (within.max().unwrap(), all.iter().map(|(_, n)| *n).max().unwrap());
                let said = peaks.most(moment(now), f64::from(window));
                prop_assert!((most..=ever).contains(&said), "{said} is not within {most} and {ever}");
            }
        }
    }

    #[test]
    fn what_falls_in_few_steps_is_exact() {
        let mut peaks = Peaks::default();
        for (second, number) in [(0, 9), (10, 7), (20, 8), (30, 3)] {
            peaks.note(moment(second), number);
        }
        assert_eq!(peaks.most(moment(30), 30.0), 9);
        assert_eq!(peaks.most(moment(31), 30.0), 8);
        assert_eq!(peaks.most(moment(60), 30.0), 3);
        assert_eq!(peaks.most(moment(600), 30.0), 3, "the last counts on");
    }
}
