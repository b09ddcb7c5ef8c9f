//! Histograms written down: `{{schema:0 sum:1 count:1 buckets:[1]}}`.

use alfred_ops_core::histogram::{Histogram, ResetHint, SCHEMA_CUSTOM, SCHEMA_MAX, SCHEMA_MIN};

use crate::promql::QueryError;

/// Reads a histogram.
///
/// # Errors
/// What is wrong with it.
pub fn parse_histogram(text: &str) -> Result<Histogram, QueryError> {
    let fail = |what: &str| {
        QueryError::syntax(format!("{text:?} is not a histogram: {what}")).with_hint(
            "keys are schema, sum, count, z_bucket, z_bucket_w, buckets, offset, n_buckets, n_offset, custom_values and \
             counter_reset_hint, as in {{schema:1 sum:3 count:4 buckets:[1 2 1]}}",
        )
    };
    let inner = text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}"));
    let mut rest = inner.ok_or_else(|| fail("it stands between {{ and }}"))?.trim();
    let mut histogram = Histogram::default();
    let (mut positive, mut negative) = (Vec::new(), Vec::new());
    let (mut offset, mut negative_offset) = (0_i32, 0_i32);
    while !rest.is_empty() {
        let (key, after) = rest.split_once(':').ok_or_else(|| fail("a key has no value"))?;
        let end = match after.strip_prefix('[') {
            Some(list) => list.find(']').map(|end| end + 2).ok_or_else(|| fail("a list is never closed"))?,
            None => after.find(char::is_whitespace).unwrap_or(after.len()),
        };
        let (value, after) = after.split_at(end);
        rest = after.trim_start();
        let number = || value.parse::<f64>().map_err(|_| fail(&format!("{value:?} is not a number")));
        let integer = || value.parse::<i32>().map_err(|_| fail(&format!("{value:?} is not a whole number")));
        let list = || {
            let inner = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
            let numbers = inner.unwrap_or_default().split_whitespace().map(str::parse::<f64>);
            numbers
                .collect::<Result<Vec<f64>, _>>()
                .map_err(|_| fail(&format!("{value:?} is not a list of numbers")))
        };
        match key.trim() {
            "schema" => histogram.schema = integer()?,
            "sum" => histogram.sum = number()?,
            "count" => histogram.count = number()?,
            "z_bucket" => histogram.zero_count = number()?,
            "z_bucket_w" => histogram.zero_threshold = number()?,
            "buckets" => positive = list()?,
            "n_buckets" => negative = list()?,
            "offset" => offset = integer()?,
            "n_offset" => negative_offset = integer()?,
            "custom_values" => histogram.custom_bounds = list()?.into(),
            "counter_reset_hint" => {
                histogram.reset_hint = hint(value).ok_or_else(|| fail("the hint is unknown"))?;
            }
            other => return Err(fail(&format!("{other:?} is no key"))),
        }
    }
    if histogram.schema != SCHEMA_CUSTOM && !(SCHEMA_MIN..=SCHEMA_MAX).contains(&histogram.schema) {
        return Err(fail("the schema is not -53 or from -4 to 8"));
    }
    histogram.positive = (offset..).zip(positive).collect();
    histogram.negative = (negative_offset..).zip(negative).collect();
    Ok(histogram)
}

fn hint(text: &str) -> Option<ResetHint> {
    Some(match text {
        "unknown" => ResetHint::Unknown,
        "reset" => ResetHint::Reset,
        "not_reset" => ResetHint::NotReset,
        "gauge" => ResetHint::Gauge,
        _ => return None,
    })
}
