//! Native histograms.

use alfred_ops_core::histogram::{Bucket, Histogram};

use super::sum::Sum;
use crate::promql::ast::Function;

/// What a function tells of a histogram.
pub(super) fn property(function: Function, histogram: &Histogram) -> f64 {
    match function {
        Function::HistogramCount => histogram.count,
        Function::HistogramSum => histogram.sum,
        Function::HistogramAvg => histogram.sum / histogram.count,
        Function::HistogramStddev => variance(histogram).sqrt(),
        _ => variance(histogram),
    }
}

/// The variance, every observation taken to lie in the middle of its bucket: the geometric one for exponential
/// buckets, zero for the bucket around it.
fn variance(histogram: &Histogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let mut squares = Sum::default();
    for bucket in all_buckets(histogram) {
        let value = if histogram.is_custom() {
            f64::midpoint(bucket.upper, bucket.lower)
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            let middle = (bucket.upper * bucket.lower).sqrt();
            if bucket.upper < 0.0 { -middle } else { middle }
        };
        let delta = value - mean;
        squares.add(bucket.count * delta * delta);
    }
    squares.total() / histogram.count
}

/// All buckets that count something, ascending, with the bounds of their schema.
fn all_buckets(histogram: &Histogram) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = histogram.negative_buckets().rev().collect();
    buckets.push(histogram.zero_bucket());
    buckets.extend(histogram.positive_buckets());
    buckets.retain(|bucket| bucket.count != 0.0);
    buckets
}

/// The quantile `q`, interpolated within its bucket: exponentially, or linearly for custom bounds and around
/// zero. Source: Prometheus' documentation of `histogram_quantile`.
pub(super) fn quantile(q: f64, histogram: &Histogram) -> f64 {
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    if histogram.count == 0.0 || q.is_nan() {
        return f64::NAN;
    }
    // Observations that are NaN are in no bucket: they count as greater than all others.
    let forward = histogram.sum.is_nan() || q < 0.5;
    let rank = if forward { q * histogram.count } else { (1.0 - q) * histogram.count };
    let mut buckets = all_buckets(histogram);
    if !forward {
        buckets.reverse();
    }
    let mut count = 0.0;
    let mut reached = None;
    for bucket in buckets {
        count += bucket.count;
        reached = Some(bucket);
        if count >= rank {
            break;
        }
    }
    let Some(mut bucket) = reached else { return f64::NAN };
    if histogram.is_custom() {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return bucket.upper;
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return if count < rank && histogram.sum.is_nan() { f64::NAN } else { bucket.lower };
        }
    } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
        narrow(&mut bucket, histogram);
    }
    let count = count.min(histogram.count);
    if count < rank {
        return if histogram.sum.is_nan() { f64::NAN } else { bucket.upper };
    }
    let rank = if forward { rank - (count - bucket.count) } else { count - rank };
    let fraction = rank / bucket.count;
    if histogram.is_custom() || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
        return bucket.lower + (bucket.upper - bucket.lower) * fraction;
    }
    let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    if bucket.lower > 0.0 {
        return (lower + (upper - lower) * fraction).exp2();
    }
    -(upper + (lower - upper) * (1.0 - fraction)).exp2()
}

/// Of a histogram that has observations on one side of zero only, the zero bucket reaches to that side only.
fn narrow(bucket: &mut Bucket, histogram: &Histogram) {
    match (histogram.negative.is_empty(), histogram.positive.is_empty()) {
        (true, false) => bucket.lower = 0.0,
        (false, true) => bucket.upper = 0.0,
        _ => {}
    }
}

/// The share of observations between `lower` and `upper`, interpolated as quantiles are.
pub(super) fn fraction(lower: f64, upper: f64, histogram: &Histogram) -> f64 {
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let (mut rank, mut lower_rank, mut upper_rank) = (0.0, None, None);
    for mut bucket in all_buckets(histogram) {
        let mut linear = histogram.is_custom();
        if linear && bucket.lower == f64::NEG_INFINITY && bucket.upper > 0.0 {
            bucket.lower = 0.0;
        } else if !linear && bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            linear = true;
            narrow(&mut bucket, histogram);
        }
        for (bound, found) in [(lower, &mut lower_rank), (upper, &mut upper_rank)] {
            if found.is_some() {
                continue;
            }
            if bucket.lower >= bound {
                *found = Some(rank);
            } else if bucket.upper > bound {
                *found = Some(rank + bucket.count * share(&bucket, bound, linear));
            }
        }
        rank += bucket.count;
    }
    // Observations that are NaN lie in no range.
    let all = if histogram.sum.is_nan() { rank } else { histogram.count };
    let reached = |rank: Option<f64>| rank.unwrap_or(all).min(all);
    (reached(upper_rank) - reached(lower_rank)) / histogram.count
}

/// Which share of a bucket lies below `bound`, which lies within it.
fn share(bucket: &Bucket, bound: f64, linear: bool) -> f64 {
    if linear {
        if bucket.lower == f64::NEG_INFINITY {
            return 1.0;
        }
        if bucket.upper == f64::INFINITY {
            return 0.0;
        }
        return (bound - bucket.lower) / (bucket.upper - bucket.lower);
    }
    let (lower, upper, bound_log) =
        (bucket.lower.abs().log2(), bucket.upper.abs().log2(), bound.abs().log2());
    if bound > 0.0 {
        (bound_log - lower) / (upper - lower)
    } else {
        1.0 - (bound_log - upper) / (lower - upper)
    }
}
