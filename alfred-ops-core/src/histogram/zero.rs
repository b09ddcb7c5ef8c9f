//! The bucket around zero.

use super::Histogram;

impl Histogram {
    /// Widens the zero bucket to at least `threshold`, so that no bucket that counts something is cut in two.
    pub(super) fn widen_zero_bucket(&mut self, threshold: f64) {
        let (count, threshold) = self.zero_count_for(threshold);
        self.zero_count = count;
        self.zero_threshold = threshold;
        let kept = |schema: i32, bounds: &[f64], index: i32| {
            // A bucket is swallowed as a whole or not at all.
            super::bounds::bound(schema, bounds, index) > threshold
        };
        let (schema, bounds) = (self.schema, std::sync::Arc::clone(&self.custom_bounds));
        self.positive.retain(|(index, _)| kept(schema, &bounds, *index));
        self.negative.retain(|(index, _)| kept(schema, &bounds, *index));
    }

    /// What a zero bucket of at least `threshold` would count, and how wide it would be.
    pub(super) fn zero_count_for(&self, mut threshold: f64) -> (f64, f64) {
        if threshold <= self.zero_threshold {
            return (self.zero_count, self.zero_threshold);
        }
        loop {
            let before = threshold;
            let mut count = self.zero_count;
            for side in [&self.positive, &self.negative] {
                for (index, observations) in side {
                    if self.upper_bound(index.saturating_sub(1)) >= threshold {
                        break;
                    }
                    count += observations;
                    let upper = self.upper_bound(*index);
                    if upper > threshold {
                        if *observations != 0.0 {
                            threshold = upper;
                        }
                        break;
                    }
                }
            }
            if threshold.total_cmp(&before).is_eq() {
                return (count, threshold);
            }
        }
    }

    /// Makes both zero buckets equally wide.
    pub(super) fn match_zero_buckets(&mut self, other: &mut Self) {
        while self.zero_threshold.total_cmp(&other.zero_threshold).is_ne() {
            if self.zero_threshold > other.zero_threshold {
                other.widen_zero_bucket(self.zero_threshold);
            } else {
                self.widen_zero_bucket(other.zero_threshold);
            }
        }
    }
}
