//! Compares answers with what was expected.

use std::collections::BTreeMap;

use alfred_ops_alerts::promql::SampleValue;
use alfred_ops_core::Labels;
use alfred_ops_core::histogram::Histogram;

const TOLERANCE: f64 = 1e-6;

pub(crate) fn floats_equal(left: f64, right: f64) -> bool {
    if left.is_nan() && right.is_nan() || left == right {
        return true;
    }
    let (sum, difference) = (left.abs() + right.abs(), (left - right).abs());
    if left == 0.0 || right == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

pub(crate) fn values_equal(expected: &SampleValue, actual: &SampleValue) -> bool {
    match (expected, actual) {
        (SampleValue::Float(expected), SampleValue::Float(actual)) => floats_equal(*expected, *actual),
        (SampleValue::Histogram(expected), SampleValue::Histogram(actual)) => {
            histograms_equal(expected, actual)
        }
        _ => false,
    }
}

fn histograms_equal(expected: &Histogram, actual: &Histogram) -> bool {
    let counting = |buckets: &[(i32, f64)]| -> Vec<(i32, f64)> {
        buckets.iter().filter(|(_, count)| *count != 0.0).copied().collect()
    };
    let buckets = |left: &[(i32, f64)], right: &[(i32, f64)]| {
        let (left, right) = (counting(left), counting(right));
        left.len() == right.len()
            && left.iter().zip(&right).all(|(left, right)| left.0 == right.0 && floats_equal(left.1, right.1))
    };
    expected.schema == actual.schema
        && floats_equal(expected.count, actual.count)
        && floats_equal(expected.sum, actual.sum)
        && floats_equal(expected.zero_threshold, actual.zero_threshold)
        && floats_equal(expected.zero_count, actual.zero_count)
        && buckets(&expected.positive, &actual.positive)
        && buckets(&expected.negative, &actual.negative)
        && expected.custom_bounds == actual.custom_bounds
        && (expected.reset_hint == alfred_ops_core::histogram::ResetHint::Unknown
            || expected.reset_hint == actual.reset_hint)
}

pub(crate) fn show(samples: &BTreeMap<Labels, Vec<(i64, SampleValue)>>) -> String {
    let one = |(labels, points): (&Labels, &Vec<(i64, SampleValue)>)| {
        let points: Vec<String> = points.iter().map(|(millis, value)| format!("{value}@{millis}")).collect();
        format!("{labels} {}", points.join(" "))
    };
    let all: Vec<String> = samples.iter().map(one).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join("\n        ") }
}
