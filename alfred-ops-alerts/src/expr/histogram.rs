//! Quantiles from the buckets of a histogram.

use std::collections::BTreeMap;

use alfred_ops_core::Labels;

use super::Reading;

/// The `quantile` of each histogram among `buckets`, which are cumulative and carry their bound as `le`.
///
/// As in Prometheus: linear inside a bucket; the highest finite bound where the quantile lies above it; NaN
/// without a `+Inf` bucket, with a single bucket, or with nothing observed. Readings without a usable `le`
/// are left out.
pub(super) fn quantiles(quantile: f64, buckets: Vec<Reading>) -> Vec<Reading> {
    let mut histograms: BTreeMap<Labels, Vec<Bucket>> = BTreeMap::new();
    for reading in buckets {
        let Some(bound) = reading.labels.get("le").and_then(|bound| bound.parse().ok()) else { continue };
        let labels = reading.labels.without(|name| name == "le" || name == Labels::NAME);
        histograms.entry(labels).or_default().push(Bucket { bound, count: reading.value });
    }
    histograms
        .into_iter()
        .map(|(labels, buckets)| Reading { labels, value: quantile_of(quantile, buckets) })
        .collect()
}

struct Bucket {
    bound: f64,
    /// Observations at or below the bound.
    count: f64,
}

fn quantile_of(quantile: f64, mut buckets: Vec<Bucket>) -> f64 {
    buckets.sort_by(|left, right| left.bound.total_cmp(&right.bound));
    merge_equal_bounds(&mut buckets);
    // Buckets scraped or extrapolated apart may fall by a hair.
    let mut highest = f64::NEG_INFINITY;
    for bucket in &mut buckets {
        highest = highest.max(bucket.count);
        bucket.count = highest;
    }
    let Some(last) = buckets.last() else { return f64::NAN };
    if last.bound != f64::INFINITY || buckets.len() < 2 || last.count.is_nan() || last.count <= 0.0 {
        return f64::NAN;
    }
    let rank = quantile * last.count;
    let index = buckets.iter().position(|bucket| bucket.count >= rank).unwrap_or(buckets.len() - 1);
    if index == buckets.len() - 1 {
        return buckets[index - 1].bound;
    }
    let bucket = &buckets[index];
    if index == 0 && bucket.bound <= 0.0 {
        return bucket.bound;
    }
    let (start, below) = match index.checked_sub(1) {
        Some(before) => (buckets[before].bound, buckets[before].count),
        None => (0.0, 0.0),
    };
    let inside = bucket.count - below;
    if inside <= 0.0 {
        return start;
    }
    start + (bucket.bound - start) * ((rank - below) / inside)
}

fn merge_equal_bounds(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|later, earlier| {
        let same = later.bound.total_cmp(&earlier.bound).is_eq();
        if same {
            earlier.count += later.count;
        }
        same
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(quantile: f64, buckets: &[(&str, f64)], expected: f64) {
        let readings = buckets
            .iter()
            .map(|(bound, count)| Reading {
                labels: Labels::metric("d_bucket").with("job", "a").with("le", bound),
                value: *count,
            })
            .collect();
        let actual = quantiles(quantile, readings);
        assert_eq!(actual.len(), 1);
        assert_eq!(actual[0].labels.to_string(), "{job=\"a\"}");
        let value = actual[0].value;
        assert!(
            (value - expected).abs() < 1e-9 || (value.is_nan() && expected.is_nan()),
            "{quantile} of {buckets:?}: {value}, not {expected}"
        );
    }

    #[test]
    fn quantiles_are_those_of_prometheus() {
        let buckets = [("1", 10.0), ("5", 30.0), ("30", 40.0), ("+Inf", 40.0)];
        check(0.5, &buckets, 3.0);
        check(0.25, &buckets, 1.0);
        check(0.95, &buckets, 25.0);
        check(1.0, &buckets, 30.0);
        // Above the highest finite bound nothing more is known than that bound.
        check(0.95, &[("1", 1.0), ("+Inf", 100.0)], 1.0);
        check(0.5, &[("+Inf", 100.0)], f64::NAN);
        check(0.5, &[("1", 1.0), ("2", 1.0)], f64::NAN);
        check(0.5, &[("1", 0.0), ("+Inf", 0.0)], f64::NAN);
        // "1" and "1.0" are one bound.
        check(0.5, &[("1", 10.0), ("1.0", 10.0), ("+Inf", 20.0)], 0.5);
    }
}
