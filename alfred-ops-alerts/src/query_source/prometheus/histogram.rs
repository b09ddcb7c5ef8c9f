//! Native histograms as the API shows them, turned back into what they were.

use alfred_ops_core::histogram::{Histogram, SCHEMA_MAX, SCHEMA_MIN};

/// A bucket of the bounds `(left, right]`.
const LEFT_OPEN: u8 = 0;
/// A bucket of the bounds `[left, right)`.
const RIGHT_OPEN: u8 = 1;
/// A bucket of the bounds `(left, right)`.
const BOTH_OPEN: u8 = 2;
/// A bucket of the bounds `[left, right]`.
const BOTH_CLOSED: u8 = 3;
/// How far bounds may be off that other machines worked out.
const TOLERANCE: f64 = 1e-12;

/// A histogram as the API shows it: buckets that count something, from left to right.
#[derive(Debug, Clone)]
pub(super) struct JsonHistogram {
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) buckets: Vec<JsonBucket>,
}

/// A bucket as the API shows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonBucket {
    pub(super) rule: u8,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) count: f64,
}

impl JsonHistogram {
    /// The histogram of the coarsest exponential schema whose bounds these are, or one that lists them.
    pub(super) fn read(self) -> Result<Histogram, String> {
        for JsonBucket { rule, left, right, .. } in &self.buckets {
            if *rule > BOTH_CLOSED {
                return Err(format!("a bucket's boundary rule is {rule}, not 0 to 3"));
            }
            // Also where one of them is no number.
            if left.partial_cmp(right).is_none_or(std::cmp::Ordering::is_gt) {
                return Err(format!("a bucket ends at {right}, before it begins at {left}"));
            }
        }
        let exponential = (SCHEMA_MIN..=SCHEMA_MAX).find_map(|schema| self.exponential(schema));
        exponential.map_or_else(|| self.listed(), Ok)
    }

    fn exponential(&self, schema: i32) -> Option<Histogram> {
        let mut histogram = Histogram::exponential(schema);
        (histogram.count, histogram.sum) = (self.count, self.sum);
        for bucket in self.buckets.iter().filter(|bucket| bucket.is_zero()) {
            (histogram.zero_threshold, histogram.zero_count) = (bucket.right, bucket.count);
        }
        for bucket in self.buckets.iter().filter(|bucket| !bucket.is_zero()) {
            let (near, far, side) = match bucket.rule {
                LEFT_OPEN if bucket.left >= 0.0 => (bucket.left, bucket.right, &mut histogram.positive),
                RIGHT_OPEN if bucket.right <= 0.0 => (-bucket.right, -bucket.left, &mut histogram.negative),
                _ => return None,
            };
            side.push((index_of(schema, near, far)?, bucket.count));
        }
        histogram.negative.reverse();
        let ascending = |buckets: &[(i32, f64)]| buckets.is_sorted_by(|left, right| left.0 < right.0);
        (ascending(&histogram.positive) && ascending(&histogram.negative)).then_some(histogram)
    }

    /// All bounds that occur, listed.
    fn listed(self) -> Result<Histogram, String> {
        let mut bounds: Vec<f64> =
            self.buckets.iter().flat_map(|bucket| [bucket.left, bucket.right]).collect();
        bounds.retain(|bound| bound.is_finite());
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        let place = |bound: f64| bounds.partition_point(|other| *other < bound);
        let mut positive = Vec::with_capacity(self.buckets.len());
        for JsonBucket { left, right, count, .. } in &self.buckets {
            let index = place(*right);
            let before = if left.is_infinite() { 0 } else { place(*left) + 1 };
            let last =
                positive.last().is_none_or(|(last, _)| usize::try_from(*last).is_ok_and(|last| last < index));
            if index != before || !last {
                return Err(format!("the bucket from {left} to {right} meets another one, or is nowhere"));
            }
            positive.push((i32::try_from(index).map_err(|_| "there are too many buckets")?, *count));
        }
        let mut histogram = Histogram::custom(bounds);
        (histogram.count, histogram.sum, histogram.positive) = (self.count, self.sum, positive);
        Ok(histogram)
    }
}

impl JsonBucket {
    /// Whether it is the bucket around zero.
    fn is_zero(&self) -> bool {
        matches!(self.rule, BOTH_CLOSED | BOTH_OPEN) && self.left == -self.right
    }
}

/// The index of the bucket `(near, far]` of an exponential schema, if it is one.
fn index_of(schema: i32, near: f64, far: f64) -> Option<i32> {
    if near <= 0.0 || !far.is_finite() {
        return None;
    }
    let histogram = Histogram::exponential(schema);
    let index = (far.log2() * f64::from(schema).exp2()).round();
    // The finest schema has 2^18 buckets to a side.
    if index.abs() > f64::from(1 << 20) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and was just compared with what fits")]
    let index = index as i32;
    let same = |bound: f64, index: i32| {
        let own = histogram.upper_bound(index);
        (own - bound).abs() <= TOLERANCE * own.abs()
    };
    (same(far, index) && same(near, index - 1)).then_some(index)
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::histogram::SCHEMA_CUSTOM;
    use proptest::prelude::*;

    use super::*;

    fn shown(histogram: &Histogram) -> JsonHistogram {
        let buckets = histogram.buckets().into_iter().map(|bucket| JsonBucket {
            rule: match (bucket.lower_inclusive, bucket.upper_inclusive) {
                (false, true) => LEFT_OPEN,
                (true, false) => RIGHT_OPEN,
                (false, false) => BOTH_OPEN,
                (true, true) => BOTH_CLOSED,
            },
            left: bucket.lower,
            right: bucket.upper,
            count: bucket.count,
        });
        JsonHistogram { count: histogram.count, sum: histogram.sum, buckets: buckets.collect() }
    }

    fn side() -> impl Strategy<Value = Vec<(i32, f64)>> {
        prop::collection::btree_map(-40_i32..40, 1_u8..9, 0..6)
            .prop_map(|buckets| buckets.into_iter().map(|(index, count)| (index, f64::from(count))).collect())
    }

    proptest! {
        #[test]
        fn exponential_histograms_come_back(
            schema in SCHEMA_MIN..=SCHEMA_MAX, positive in side(), negative in side(), zero_count in 0_u8..3
        ) {
            prop_assume!(!positive.is_empty() || !negative.is_empty());
            // Far enough below all others, so that no bucket is cut.
            let all = positive.iter().chain(&negative).map(|(index, _)| *index);
            let mut histogram = Histogram::exponential(schema);
            let finite = |index: i32| {
                let bound = histogram.upper_bound(index);
                bound.is_finite() && bound < f64::MAX && histogram.upper_bound(index - 1) > f64::MIN_POSITIVE
            };
            prop_assume!(all.clone().all(finite));
            (histogram.count, histogram.sum) = (17.0, -2.5);
            (histogram.zero_threshold, histogram.zero_count) = (f64::MIN_POSITIVE, f64::from(zero_count));
            (histogram.positive, histogram.negative) = (positive, negative);
            let read = shown(&histogram).read().unwrap();
            if zero_count == 0 {
                histogram.zero_threshold = 0.0;
            }
            prop_assert_eq!(read, histogram);
        }

        #[test]
        fn any_buckets_are_read_or_refused(
            buckets in prop::collection::vec((0_u8..5, any::<f64>(), any::<f64>(), any::<f64>()), 0..6)
        ) {
            let buckets = buckets.into_iter().map(|(rule, left, right, count)| JsonBucket { rule, left, right, count });
            let _ = JsonHistogram { count: 1.0, sum: 1.0, buckets: buckets.collect() }.read();
        }
    }

    #[test]
    fn other_bounds_are_listed() {
        let infinity = f64::INFINITY;
        let bucket = |rule, left, right, count| JsonBucket { rule, left, right, count };
        let buckets = vec![
            bucket(BOTH_CLOSED, -infinity, 0.1, 1.0),
            bucket(LEFT_OPEN, 0.1, 0.3, 2.0),
            bucket(LEFT_OPEN, 5.0, infinity, 4.0),
        ];
        let read = JsonHistogram { count: 7.0, sum: 9.0, buckets }.read().unwrap();
        assert_eq!(read.schema, SCHEMA_CUSTOM);
        assert_eq!(read.to_string(), "{count:7, sum:9, [-inf,0.1]:1, (0.1,0.3]:2, (5,inf]:4}");
        // The first bucket is cut by the zero bucket, and no other one tells the schema.
        let buckets = vec![bucket(BOTH_CLOSED, -0.75, 0.75, 1.0), bucket(LEFT_OPEN, 0.75, 1.0, 2.0)];
        let read = JsonHistogram { count: 3.0, sum: 1.0, buckets }.read().unwrap();
        assert_eq!(read.to_string(), "{count:3, sum:1, (-0.75,0.75]:1, (0.75,1]:2}");
    }

    #[test]
    fn broken_buckets_are_refused() {
        let check = |buckets: &[(u8, f64, f64)], message: &str| {
            let buckets = buckets.iter().map(|(rule, left, right)| JsonBucket {
                rule: *rule,
                left: *left,
                right: *right,
                count: 1.0,
            });
            let error =
                JsonHistogram { count: 1.0, sum: 1.0, buckets: buckets.collect() }.read().unwrap_err();
            assert!(error.contains(message), "{error}");
        };
        check(&[(4, 1.0, 2.0)], "boundary rule is 4");
        check(&[(0, 2.0, 1.0)], "ends at 1, before it begins at 2");
        check(&[(0, f64::NAN, 1.0)], "before it begins");
        check(&[(0, 1.0, 3.0), (0, 2.0, 4.0)], "meets another one");
        check(&[(0, 1.0, 3.0), (0, 1.0, 3.0)], "meets another one");
    }
}
