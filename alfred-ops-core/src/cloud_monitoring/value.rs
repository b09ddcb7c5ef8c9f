//! From the value of a point to samples.

use google_cloud_api::model::Distribution;
use google_cloud_monitoring_v3::model::TypedValue;
use google_cloud_monitoring_v3::model::typed_value::Value;

use super::bounds;
use crate::Labels;
use crate::exposition::written_bound;

/// The series that a value stands for, by labels with the metric's name, and their values; `Err` with why it has none.
pub(super) fn samples(
    name: &str,
    labels: &Labels,
    value: Option<&TypedValue>,
) -> Result<Vec<(Labels, f64)>, &'static str> {
    let one = |value: f64| Ok(vec![(labels.with(Labels::NAME, name), value)]);
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::BoolValue(value)) => one(f64::from(u8::from(*value))),
        Some(Value::Int64Value(value)) => one(number(*value)),
        Some(Value::DoubleValue(value)) => one(*value),
        Some(Value::DistributionValue(distribution)) => histogram(name, labels, distribution),
        Some(Value::StringValue(_)) => Err("its values are texts"),
        _ => Err("its values have an unknown type"),
    }
}

/// A distribution as a classic histogram. All bounds are told, whether or not their buckets count something.
fn histogram(
    name: &str,
    labels: &Labels,
    distribution: &Distribution,
) -> Result<Vec<(Labels, f64)>, &'static str> {
    let bounds = bounds::of(distribution)?;
    let of = |suffix: &str| labels.with(Labels::NAME, &format!("{name}_{suffix}"));
    let of_buckets = of("bucket");
    let mut counts = distribution.bucket_counts.iter();
    let mut below = 0_i64;
    let mut samples = Vec::with_capacity(bounds.len() + 3);
    for bound in bounds {
        let count = counts.next().copied().unwrap_or(0);
        below = Some(count)
            .filter(|count| *count >= 0)
            .and_then(|count| below.checked_add(count))
            .ok_or("its buckets count what cannot be counted")?;
        samples.push((of_buckets.with("le", &written_bound(bound)), number(below)));
    }
    let count = number(distribution.count);
    samples.push((of_buckets.with("le", &written_bound(f64::INFINITY)), count));
    samples.push((of("sum"), distribution.mean * count));
    samples.push((of("count"), count));
    Ok(samples)
}

#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
const fn number(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use google_cloud_api::model::distribution::BucketOptions;
    use google_cloud_api::model::distribution::bucket_options::Explicit;

    use super::*;

    fn check(value: TypedValue, expected: Result<&[&str], &str>) {
        let labels = Labels::from_pairs([("x", "1"), ("le", "mine")]);
        let samples = samples("m", &labels, Some(&value));
        let lines = samples.map(|samples| {
            samples.iter().map(|(labels, value)| format!("{labels} {value}")).collect::<Vec<_>>()
        });
        assert_eq!(
            lines.as_deref(),
            expected.map(|lines| lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>()).as_deref()
        );
    }

    #[test]
    fn values_become_samples() {
        let of = |value: Value| TypedValue::new().set_value(value);
        check(of(Value::BoolValue(true)), Ok(&["m{le=\"mine\",x=\"1\"} 1"]));
        check(of(Value::Int64Value(-3)), Ok(&["m{le=\"mine\",x=\"1\"} -3"]));
        check(of(Value::DoubleValue(0.5)), Ok(&["m{le=\"mine\",x=\"1\"} 0.5"]));
        check(of(Value::StringValue("on".to_owned())), Err("its values are texts"));
        check(TypedValue::new(), Err("its values have an unknown type"));
    }

    #[test]
    fn distributions_become_histograms() {
        let explicit = Explicit::new().set_bounds([1.0, 2.5]);
        let distribution = Distribution::new()
            .set_count(6)
            .set_mean(1.5)
            .set_bucket_options(BucketOptions::new().set_explicit_buckets(explicit));
        // Buckets that are not told count nothing.
        let told = distribution.clone().set_bucket_counts([2_i64]);
        check(
            TypedValue::new().set_distribution_value(told),
            Ok(&[
                "m_bucket{le=\"1.0\",x=\"1\"} 2",
                "m_bucket{le=\"2.5\",x=\"1\"} 2",
                "m_bucket{le=\"+Inf\",x=\"1\"} 6",
                "m_sum{le=\"mine\",x=\"1\"} 9",
                "m_count{le=\"mine\",x=\"1\"} 6",
            ]),
        );
        let absurd = distribution.set_bucket_counts([i64::MAX, 1]);
        check(
            TypedValue::new().set_distribution_value(absurd),
            Err("its buckets count what cannot be counted"),
        );
        check(
            TypedValue::new().set_distribution_value(Distribution::new()),
            Ok(&[
                "m_bucket{le=\"+Inf\",x=\"1\"} 0",
                "m_sum{le=\"mine\",x=\"1\"} 0",
                "m_count{le=\"mine\",x=\"1\"} 0",
            ]),
        );
    }
}
