//! Histograms without their observations beyond a bound.

use alfred_ops_core::histogram::{Bucket, Histogram};

/// What is kept of a bucket: how many observations, and where they lie on average.
struct Kept {
    count: f64,
    middle: f64,
}

/// The histogram with only the observations below `bound`, or above it. A bucket in which the bound lies is cut
/// where quantiles would be interpolated; the sum is estimated from the middles of what is left. A bucket
/// without end, within which nothing is known, is dropped where it might hold what is to be cut off. Source:
/// Prometheus' documentation of the trim operators, to which the answers are equal.
pub(super) fn trimmed(histogram: &Histogram, bound: f64, upper: bool) -> Histogram {
    let mut result = histogram.clone();
    let linear = histogram.is_custom();
    let (mut count, mut sum, mut changed) = (0.0, 0.0, false);
    let mut keep = |observations: &mut f64, kept: Kept| {
        #[expect(clippy::float_cmp, reason = "any change counts")]
        let differs = *observations != kept.count;
        changed |= differs;
        *observations = kept.count;
        count += kept.count;
        sum += kept.middle * kept.count;
    };
    for ((_, observations), bucket) in result.positive.iter_mut().zip(histogram.positive_buckets()) {
        keep(observations, of_bucket(&bucket, bound, upper, linear));
    }
    for ((_, observations), bucket) in result.negative.iter_mut().zip(histogram.negative_buckets()) {
        keep(observations, of_bucket(&bucket, bound, upper, linear));
    }
    if histogram.zero_count > 0.0 {
        let mut zero = histogram.zero_bucket();
        match (histogram.negative.is_empty(), histogram.positive.is_empty()) {
            (true, false) => zero.lower = 0.0,
            (false, true) => zero.upper = 0.0,
            _ => {}
        }
        keep(&mut result.zero_count, of_bucket(&zero, bound, upper, true));
    }
    if changed {
        result.compact();
        result.count = count;
        result.sum = sum;
    }
    result
}

fn of_bucket(bucket: &Bucket, bound: f64, upper: bool, linear: bool) -> Kept {
    let Bucket { lower, upper: end, count, .. } = *bucket;
    let (all, none) = if upper { (end <= bound, lower >= bound) } else { (lower >= bound, end <= bound) };
    if all {
        return Kept { count, middle: middle(lower, end, linear) };
    }
    if none || bound.is_nan() {
        return Kept { count: 0.0, middle: 0.0 };
    }
    if lower == f64::NEG_INFINITY {
        return of_first(end, count, bound, upper);
    }
    if end == f64::INFINITY {
        let count = if upper { 0.0 } else { count };
        return Kept { count, middle: bound };
    }
    let below = count * share_below(lower, end, bound, linear || (lower <= 0.0 && end >= 0.0));
    if upper {
        Kept { count: below, middle: middle(lower, bound, linear) }
    } else {
        Kept { count: count - below, middle: middle(bound, end, linear) }
    }
}

/// The first bucket of a custom schema, which has no lower bound: where observations can be above zero they are
/// taken to be.
fn of_first(end: f64, count: f64, bound: f64, upper: bool) -> Kept {
    let from_zero = end > 0.0 && end.is_finite();
    match upper {
        true if bound > 0.0 && from_zero => Kept { count: count * bound / end, middle: bound / 2.0 },
        true if end <= 0.0 => Kept { count, middle: bound },
        false if bound >= 0.0 && from_zero => {
            Kept { count: count * (1.0 - bound / end), middle: f64::midpoint(bound, end) }
        }
        _ => Kept { count: 0.0, middle: 0.0 },
    }
}

/// Which share of a bucket's observations lies below `bound`, which lies within it.
fn share_below(lower: f64, upper: f64, bound: f64, linear: bool) -> f64 {
    if linear {
        return (bound - lower) / (upper - lower);
    }
    let (low, high, at) = (lower.abs().log2(), upper.abs().log2(), bound.abs().log2());
    if lower > 0.0 { (at - low) / (high - low) } else { 1.0 - (at - high) / (low - high) }
}

/// Where observations between two bounds lie on average.
fn middle(lower: f64, upper: f64, linear: bool) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) if upper > 0.0 => upper / 2.0,
        (true, false) => upper,
        (false, true) => lower,
        // Around zero there is no geometric middle.
        (false, false) if linear || (lower <= 0.0 && upper >= 0.0) => f64::midpoint(lower, upper),
        (false, false) => (lower * upper).sqrt().copysign(upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cut_where_quantiles_would_be_interpolated() {
        let histogram = Histogram {
            positive: vec![(0, 2.0), (1, 4.0), (2, 6.0)],
            count: 12.0,
            sum: 40.0,
            ..Histogram::custom([5.0, 10.0])
        };
        let below = trimmed(&histogram, 7.5, true);
        assert_eq!(
            (below.positive.as_slice(), below.count, below.sum),
            ([(0, 2.0), (1, 2.0)].as_slice(), 4.0, 17.5)
        );
        let above = trimmed(&histogram, 7.5, false);
        assert_eq!(
            (above.positive.as_slice(), above.count, above.sum),
            ([(1, 2.0), (2, 6.0)].as_slice(), 8.0, 77.5)
        );
        assert_eq!(trimmed(&histogram, f64::INFINITY, true), histogram);
        let exponential =
            Histogram { positive: vec![(2, 8.0)], count: 8.0, sum: 24.0, ..Histogram::exponential(0) };
        let half = trimmed(&exponential, 8.0_f64.sqrt(), true);
        assert!((half.count - 4.0).abs() < 1e-9, "{half}");
    }
}
