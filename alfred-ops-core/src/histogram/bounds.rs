//! Where buckets begin and end.

use super::Histogram;
use super::histogram::SCHEMA_CUSTOM;

/// A number's exponent as of this one is infinity: the last finite bucket ends at the greatest float.
const EXPONENT_OVERFLOW: i64 = 1024;

impl Histogram {
    /// The upper bound of the bucket `index` on the positive side.
    ///
    /// Of exponential schemas it is `(2^2^-schema)^index`; the bucket that would end at 2^1024 ends at the
    /// greatest float, and the next one at infinity. Of custom bounds it is the bound of that number, infinity beyond the last.
    #[must_use]
    pub fn upper_bound(&self, index: i32) -> f64 {
        bound(self.schema, &self.custom_bounds, index)
    }
}

pub(super) fn bound(schema: i32, custom_bounds: &[f64], index: i32) -> f64 {
    if schema == SCHEMA_CUSTOM {
        return match usize::try_from(index) {
            Ok(index) => custom_bounds.get(index).copied().unwrap_or(f64::INFINITY),
            Err(_) => f64::NEG_INFINITY,
        };
    }
    let index = i64::from(index);
    if schema <= 0 {
        let exponent = index << schema.unsigned_abs().min(32);
        return if exponent == EXPONENT_OVERFLOW { f64::MAX } else { power_of_two(exponent) };
    }
    let fraction_mask = (1_i64 << schema) - 1;
    let fraction = index & fraction_mask;
    let exponent = index >> schema;
    if fraction == 0 {
        return if exponent == EXPONENT_OVERFLOW { f64::MAX } else { power_of_two(exponent) };
    }
    // Below 2^9, so that no rounding is lost.
    #[expect(clippy::cast_precision_loss, reason = "at most eight bits")]
    let part = fraction as f64 / (fraction_mask + 1) as f64;
    power_of_two(exponent) * part.exp2()
}

fn power_of_two(exponent: i64) -> f64 {
    let exponent = i32::try_from(exponent.clamp(-2000, 2000)).unwrap_or(2000);
    2.0_f64.powi(exponent)
}
