//! Numbers with a fraction.

use super::super::value::{Bounded, Overflow};
use super::directive::Directive;

/// The longest fraction a float has; what a precision asks for beyond it are zeros. Rust's own formatting fails
/// beyond 65,535.
const FRACTION_DIGITS_MAX: usize = 1_100;

/// Go's `%g`: with a precision, so many significant digits at most; without, as many as tell the number from its
/// neighbours.
pub(in crate::template) fn format_general(value: f64, precision: Option<usize>) -> String {
    if !value.is_finite() {
        return not_finite(value);
    }
    let (digits, exponent) = match precision {
        Some(precision) => {
            let precision = precision.clamp(1, FRACTION_DIGITS_MAX);
            digits(&format!("{:.*e}", precision - 1, value.abs()))
        }
        None => digits(&format!("{:e}", value.abs())),
    };
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let largest = match precision {
        // Without a precision the exponent shows from a million on.
        None => 6,
        Some(precision) => {
            let precision = i32::try_from(precision.max(1)).unwrap_or(i32::MAX);
            if precision > count && count > exponent { count } else { precision }
        }
    };
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if exponent < -4 || exponent >= largest {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return format!("{sign}{first}{point}{rest}{}", exponent_text(exponent));
    }
    let decimals = usize::try_from(count - 1 - exponent).unwrap_or(0);
    let before = usize::try_from(exponent + 1).unwrap_or(0);
    if decimals == 0 {
        return format!("{sign}{digits}{}", "0".repeat(before - digits.len()));
    }
    if before == 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(decimals - digits.len()));
    }
    let (whole, fraction) = digits.split_at(before);
    format!("{sign}{whole}.{fraction}")
}

fn not_finite(value: f64) -> String {
    let text = if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    };
    text.to_owned()
}

/// The significant digits of `1.25e-7` without trailing zeros, and the exponent.
fn digits(scientific: &str) -> (String, i32) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let digits = mantissa.replace('.', "");
    let trimmed = digits.trim_end_matches('0');
    let digits = if trimmed.is_empty() { "0" } else { trimmed };
    (digits.to_owned(), exponent.parse().unwrap_or(0))
}

fn exponent_text(exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("e{sign}{:02}", exponent.unsigned_abs())
}

/// Go's `%f`, without sign.
fn fixed(value: f64, precision: usize) -> String {
    let shown = precision.min(FRACTION_DIGITS_MAX);
    format!("{:.shown$}{}", value.abs(), "0".repeat(precision - shown))
}

/// Go's `%e`, without sign.
fn scientific(value: f64, precision: usize) -> String {
    let shown = precision.min(FRACTION_DIGITS_MAX);
    let text = format!("{:.shown$e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let zeros = "0".repeat(precision - shown);
    format!("{mantissa}{zeros}{}", exponent_text(exponent.parse().unwrap_or(0)))
}

/// The 53 bits of a number and the power of two by which they count.
fn parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
    match i32::try_from(exponent).unwrap_or(0) {
        0 => (fraction, -1074),
        exponent => (fraction | 1 << 52, exponent - 1075),
    }
}

/// Go's `%b`, without sign.
fn binary(value: f64) -> String {
    let (mantissa, exponent) = parts(value);
    format!("{mantissa}p{exponent:+}")
}

/// Go's `%x`, without sign.
fn hexadecimal(value: f64, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = parts(value);
    if mantissa == 0 {
        exponent = -52;
    } else {
        // The first bit becomes the digit before the point.
        let shift = mantissa.leading_zeros() - 11;
        mantissa <<= shift;
        exponent -= i32::try_from(shift).unwrap_or(0);
    }
    if let Some(dropped) = precision.filter(|precision| *precision < 13).map(|precision| 52 - 4 * precision) {
        let (rest, half) = (mantissa & ((1 << dropped) - 1), 1 << (dropped - 1));
        mantissa >>= dropped;
        // Halves go to the even neighbour.
        mantissa += u64::from(rest > half || (rest == half && mantissa & 1 == 1));
        mantissa <<= dropped;
        if mantissa >> 53 == 1 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let digits = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let digits = match precision {
        None => digits.trim_end_matches('0').to_owned(),
        Some(precision) if precision < 13 => digits[..precision].to_owned(),
        Some(precision) => format!("{digits}{}", "0".repeat(precision - 13)),
    };
    let point = if digits.is_empty() { "" } else { "." };
    let exponent = exponent + 52;
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("0x{}{point}{digits}p{sign}{:02}", mantissa >> 52, exponent.unsigned_abs())
}

/// The number with a point in any case and, if `digits` asks for them, zeros behind it.
fn with_point(text: &str, mut digits: usize) -> String {
    let (number, tail) = text.find(['e', 'p']).map_or((text, ""), |place| text.split_at(place));
    let significant = number.trim_start_matches(['0', '.']).chars().filter(|c| *c != '.').count();
    digits = digits.saturating_sub(significant);
    let mut shown = number.to_owned();
    if !number.contains('.') {
        if number == "0" {
            digits = digits.saturating_sub(1);
        }
        shown.push('.');
    }
    format!("{shown}{}{tail}", "0".repeat(digits))
}

impl Directive {
    /// Writes a number with a fraction; `None` for a verb that it has not.
    pub(super) fn float(&self, value: f64, verb: char, to: &mut Bounded) -> Option<Result<(), Overflow>> {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'f' | 'F' | 'e' | 'E' | 'x' | 'X') {
            return None;
        }
        if self.precision.is_some_and(|precision| precision > to.bytes_left()) {
            return Some(Err(Overflow));
        }
        let text = match verb.to_ascii_lowercase() {
            _ if !value.is_finite() => not_finite(value.abs()).trim_start_matches('+').to_owned(),
            'b' => binary(value.abs()),
            'f' => fixed(value, self.precision.unwrap_or(6)),
            'e' => scientific(value, self.precision.unwrap_or(6)),
            'x' => hexadecimal(value.abs(), self.precision),
            _ => format_general(value.abs(), self.precision),
        };
        let text = match verb {
            _ if !self.sharp || verb == 'b' || !value.is_finite() => text,
            'v' | 'g' | 'G' => with_point(&text, self.precision.unwrap_or(6)),
            _ => with_point(&text, 0),
        };
        let text = if matches!(verb, 'G' | 'E' | 'X') { text.to_ascii_uppercase() } else { text };
        // Infinity always shows its sign, NaN never has one of its own.
        let sign = match value {
            value if value.is_nan() => "+",
            value if value.is_sign_negative() => "-",
            _ => "+",
        };
        let shows = sign == "-" || self.plus || value.is_infinite();
        let sign = match (shows, self.space) {
            (_, true) if sign == "+" && !self.plus => " ",
            (true, _) => sign,
            _ => "",
        };
        if self.zero && !self.minus && value.is_finite() {
            let length = sign.len() + text.len();
            let missing = self.width.unwrap_or(0).saturating_sub(length);
            if missing > to.bytes_left() {
                return Some(Err(Overflow));
            }
            return Some(to.push(&format!("{sign}{}{text}", "0".repeat(missing))));
        }
        Some(self.pad(&format!("{sign}{text}"), false, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortest_forms() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (100_000.0, "100000"),
            (1e6, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1234.5678, "1234.5678"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(format_general(value, None), text);
        }
    }

    #[test]
    fn four_digits() {
        for (value, text) in [
            (1234.5678, "1235"),
            (99_999.0, "1e+05"),
            (1000.0, "1000"),
            (0.000_123_456, "0.0001235"),
            (12.0, "12"),
            (1_234_567.0, "1.235e+06"),
        ] {
            assert_eq!(format_general(value, Some(4)), text);
        }
    }
}
