//! Histograms without their observations beyond a bound.

use alfred_ops_core::histogram::{Bucket, Histogram};

/// The histogram with only the observations below `bound`, or above it. A bucket in which the bound lies is cut
/// where quantiles would be interpolated; the sum is estimated from the middles of the buckets that are left.
pub(super) fn trimmed(histogram: &Histogram, bound: f64, upper: bool) -> Histogram {
    let mut result = histogram.clone();
    if bound.is_nan() || histogram.count == 0.0 {
        return result;
    }
    let kept = |bucket: &Bucket, custom: bool| {
        let below = share_below(bucket, bound, custom);
        if upper { below } else { 1.0 - below }
    };
    let custom = histogram.is_custom();
    let mut changed = false;
    let mut sum = 0.0;
    let mut keep = |count: &mut f64, bucket: Bucket| {
        let share = kept(&bucket, custom);
        changed |= share < 1.0 && *count != 0.0;
        *count *= share;
        sum += *count * middle(&bucket, bound, upper, share, custom);
    };
    for ((_, count), bucket) in result.positive.iter_mut().zip(histogram.positive_buckets()) {
        keep(count, bucket);
    }
    for ((_, count), bucket) in result.negative.iter_mut().zip(histogram.negative_buckets()) {
        keep(count, bucket);
    }
    if histogram.zero_count != 0.0 {
        let mut bucket = histogram.zero_bucket();
        if histogram.negative.is_empty() && !histogram.positive.is_empty() {
            bucket.lower = 0.0;
        } else if histogram.positive.is_empty() && !histogram.negative.is_empty() {
            bucket.upper = 0.0;
        }
        keep(&mut result.zero_count, bucket);
    }
    if changed {
        result.compact();
        result.count = result.bucket_count();
        result.sum = sum;
    }
    result
}

/// Which share of a bucket's observations lies below `bound`.
fn share_below(bucket: &Bucket, bound: f64, custom: bool) -> f64 {
    let lower = if custom && bucket.lower == f64::NEG_INFINITY && bucket.upper > 0.0 { 0.0 } else { bucket.lower };
    if bound >= bucket.upper {
        return 1.0;
    }
    if bound <= lower {
        return 0.0;
    }
    if bucket.upper == f64::INFINITY {
        return 0.0;
    }
    if lower == f64::NEG_INFINITY {
        return 1.0;
    }
    if custom || (lower <= 0.0 && bucket.upper >= 0.0) {
        return (bound - lower) / (bucket.upper - lower);
    }
    let (low, high, at) = (lower.abs().log2(), bucket.upper.abs().log2(), bound.abs().log2());
    if lower > 0.0 { (at - low) / (high - low) } else { 1.0 - (at - high) / (low - high) }
}

/// Where the observations that are kept of a bucket lie on average.
fn middle(bucket: &Bucket, bound: f64, upper: bool, share: f64, custom: bool) -> f64 {
    let (mut lower, mut end) = (bucket.lower, bucket.upper);
    if custom && lower == f64::NEG_INFINITY && end > 0.0 {
        lower = 0.0;
    }
    if share > 0.0 && share < 1.0 {
        if upper { end = bound } else { lower = bound }
    }
    match (lower.is_finite(), end.is_finite()) {
        (true, true) if custom || (lower <= 0.0 && end >= 0.0) => f64::midpoint(lower, end),
        (true, true) => (lower * end).sqrt().copysign(end),
        (true, false) => lower,
        (false, true) => end,
        (false, false) => 0.0,
    }
}
