//! Spans of time.

use std::fmt;

const SECOND: u64 = 1_000_000_000;

/// A span of time in nanoseconds, up to 292 years in both directions.
///
/// ```
/// use alfred_ops_alerts::template::Span;
///
/// assert_eq!(Span::from_nanos(5_400_500_000_000).to_string(), "1h30m0.5s");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(i64);

impl Span {
    /// A span of so many nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The nanoseconds.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The seconds, with their fraction.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.in_units(1_000_000_000)
    }

    /// Whole units and fraction apart, so that the whole ones stay exact.
    #[expect(clippy::cast_precision_loss, reason = "what a float cannot hold is below its precision")]
    pub(in crate::template) fn in_units(self, nanos: i64) -> f64 {
        (self.0 / nanos) as f64 + (self.0 % nanos) as f64 / nanos as f64
    }

    /// The multiple of `unit` nearest to zero's side, or to itself with ties away from zero.
    pub(in crate::template) const fn to_multiple(self, unit: Self, nearest: bool) -> Self {
        if unit.0 <= 0 {
            return self;
        }
        let rest = self.0 % unit.0;
        let down = self.0 - rest;
        if !nearest || rest.unsigned_abs() < unit.0.unsigned_abs() - rest.unsigned_abs() {
            return Self(down);
        }
        Self(if rest < 0 { down.saturating_sub(unit.0) } else { down.saturating_add(unit.0) })
    }
}

/// As Go writes it: `1h30m0.5s`, below a second in the largest unit that fits.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        if nanos == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        if nanos < SECOND {
            let (unit, size) = match nanos {
                0..1_000 => ("ns", 1),
                1_000..1_000_000 => ("µs", 1_000),
                _ => ("ms", 1_000_000),
            };
            return write_decimal(f, nanos, size, unit);
        }
        let minutes = nanos / (60 * SECOND);
        if minutes >= 60 {
            write!(f, "{}h", minutes / 60)?;
        }
        if minutes > 0 {
            write!(f, "{}m", minutes % 60)?;
        }
        write_decimal(f, nanos % (60 * SECOND), SECOND, "s")
    }
}

fn write_decimal(f: &mut fmt::Formatter<'_>, nanos: u64, size: u64, unit: &str) -> fmt::Result {
    write!(f, "{}", nanos / size)?;
    let rest = nanos % size;
    if rest > 0 {
        let width = size.ilog10() as usize;
        let digits = format!("{rest:0width$}");
        write!(f, ".{}", digits.trim_end_matches('0'))?;
    }
    f.write_str(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_look_as_in_go() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (-2_000_000, "-2ms"),
            (1_000_000_000, "1s"),
            (90_500_000_000, "1m30.5s"),
            (3_600_000_000_000, "1h0m0s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(Span::from_nanos(nanos).to_string(), text);
        }
    }

    #[test]
    fn spans_are_rounded_away_from_zero_at_the_half() {
        let second = Span::from_nanos(1_000_000_000);
        for (nanos, nearest, truncated) in
            [(1_500_000_000, 2, 1), (-1_500_000_000, -2, -1), (1_400_000_000, 1, 1)]
        {
            let span = Span::from_nanos(nanos);
            assert_eq!(span.to_multiple(second, true).nanos(), nearest * 1_000_000_000);
            assert_eq!(span.to_multiple(second, false).nanos(), truncated * 1_000_000_000);
        }
    }
}
