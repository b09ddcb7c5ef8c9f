//! The times of a series' samples.

/// Ascending times in milliseconds, cheap where they are regular.
#[derive(Debug, Clone, Default)]
pub(super) struct Times {
    pub(super) start: i64,
    /// The distance between samples as long as all are equally far apart.
    pub(super) step: i64,
    pub(super) len: usize,
    /// Distances from the start, once they are not.
    pub(super) offsets: Option<Vec<u32>>,
}

impl Times {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn at(&self, index: usize) -> i64 {
        match &self.offsets {
            Some(offsets) => self.start + offsets.get(index).copied().map_or(0, i64::from),
            None => self.start + self.step * as_i64(index),
        }
    }

    pub(super) fn last(&self) -> Option<i64> {
        self.len.checked_sub(1).map(|last| self.at(last))
    }

    /// Adds a time later than all others; false if it is too far away to be held beside them.
    pub(super) fn push(&mut self, millis: i64) -> bool {
        if self.len == 0 {
            (self.start, self.step) = (millis, 0);
        } else {
            let Ok(offset) = u32::try_from(millis - self.start) else { return false };
            if let Some(offsets) = &mut self.offsets {
                grow(offsets);
                offsets.push(offset);
            } else if self.len == 1 {
                self.step = millis - self.start;
            } else if self.at(self.len) != millis {
                let regular = (0..self.len).map(|index| u32::try_from(self.at(index) - self.start));
                let Ok(mut offsets) = regular.collect::<Result<Vec<u32>, _>>() else { return false };
                offsets.push(offset);
                self.offsets = Some(offsets);
            }
        }
        self.len += 1;
        true
    }

    /// How many of the times are not after `millis`.
    pub(super) fn until(&self, millis: i64) -> usize {
        if self.len == 0 || millis < self.start {
            return 0;
        }
        let distance = millis - self.start;
        match &self.offsets {
            Some(offsets) => offsets.partition_point(|offset| i64::from(*offset) <= distance),
            None if self.step == 0 => self.len,
            None => usize::try_from(distance / self.step).map_or(self.len, |steps| (steps + 1).min(self.len)),
        }
    }

    /// Forgets the first `count` times.
    pub(super) fn forget(&mut self, count: usize) {
        if self.offsets.is_none() {
            let left = self.len.saturating_sub(count);
            *self = match left {
                0 => Self::default(),
                1 => Self { start: self.at(count), len: 1, ..Self::default() },
                _ => Self { start: self.at(count), step: self.step, len: left, offsets: None },
            };
            return;
        }
        let kept: Vec<i64> = (count..self.len).map(|index| self.at(index)).collect();
        *self = Self::default();
        for millis in kept {
            self.push(millis);
        }
        if let Some(offsets) = &mut self.offsets {
            offsets.shrink_to_fit();
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.offsets.as_ref().map_or(0, |offsets| offsets.capacity() * size_of::<u32>())
    }
}

/// Makes room in small steps: series are many, and doubling would leave a third of all memory unused.
pub(super) fn grow<T>(values: &mut Vec<T>) {
    const STEP_MIN: usize = 8;
    if values.len() == values.capacity() {
        values.reserve_exact((values.len() / 8).max(STEP_MIN));
    }
}

fn as_i64(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn times_are_kept_as_they_came(
            steps in prop::collection::vec(prop_oneof![9 => Just(15_000_i64), 1 => 1_i64..100_000], 1..80),
            forgotten in 0_usize..90,
        ) {
            let mut expected: Vec<i64> = Vec::new();
            let mut times = Times::default();
            let mut now = 1_700_000_000_000;
            for step in steps {
                now += step;
                expected.push(now);
                prop_assert!(times.push(now));
            }
            let forgotten = forgotten.min(expected.len());
            times.forget(forgotten);
            expected.drain(..forgotten);
            prop_assert_eq!((0..times.len()).map(|index| times.at(index)).collect::<Vec<_>>(), expected.clone());
            for probe in [0, now - 40_000, now - 1, now, now + 1] {
                prop_assert_eq!(times.until(probe), expected.iter().filter(|time| **time <= probe).count());
            }
        }
    }
}
