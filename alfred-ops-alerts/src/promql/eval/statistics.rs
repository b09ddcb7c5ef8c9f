//! Quantiles and deviations of numbers.

/// The quantile `q` of `values`, which are sorted by this, NaN first, and interpolated between.
pub(super) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(nan_first);
    let last = values.len() - 1;
    let rank = q * as_float(last);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the number of values"
    )]
    let lower = (rank.floor() as usize).min(last);
    let upper = (lower + 1).min(last);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

fn nan_first(left: &f64, right: &f64) -> std::cmp::Ordering {
    left.partial_cmp(right).unwrap_or_else(|| right.is_nan().cmp(&left.is_nan()))
}

/// A number of things as a float; counts stay far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of samples stay far below 2^53")]
pub(super) const fn as_float(count: usize) -> f64 {
    count as f64
}

/// Mean and variance kept up value by value (Welford's method).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Deviation {
    count: f64,
    mean: super::sum::Sum,
    squares: super::sum::Sum,
    undefined: bool,
}

impl Deviation {
    pub(super) fn add(&mut self, value: f64) {
        self.undefined |= !value.is_finite();
        self.count += 1.0;
        let delta = value - self.mean.total();
        self.mean.add(delta / self.count);
        self.squares.add(delta * (value - self.mean.total()));
    }

    pub(super) fn variance(self) -> f64 {
        if self.undefined { f64::NAN } else { self.squares.total() / self.count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated() {
        assert_eq!(quantile(0.5, &mut [3.0, 1.0]), 2.0);
        assert_eq!(quantile(1.0, &mut [3.0, 1.0, 2.0]), 3.0);
        assert_eq!(quantile(0.0, &mut [3.0, 1.0, 2.0]), 1.0);
        assert!(quantile(0.0, &mut [3.0, f64::NAN]).is_nan());
        assert!(quantile(0.5, &mut []).is_nan());
        assert_eq!(quantile(2.0, &mut [1.0]), f64::INFINITY);
    }
}
