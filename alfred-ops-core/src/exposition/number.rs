//! Values and timestamps.

use chrono::{DateTime, Utc};

use super::Format;
use super::cause::Problem;
use super::cursor::Cursor;

/// Powers of ten that a float holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];
/// The largest whole number up to which a float holds every one.
const MANTISSA_MAX: u64 = 1 << 53;
/// So many digits always fit into 64 bits.
const DIGITS_MAX: usize = 19;
/// More digits of an exponent than any float needs.
const EXPONENT_DIGITS_MAX: usize = 4;
/// Beyond these dates, 262,000 years from now, [`DateTime`] holds no time.
const TIMESTAMP_MIN_MS: i64 = DateTime::<Utc>::MIN_UTC.timestamp_millis();
const TIMESTAMP_MAX_MS: i64 = DateTime::<Utc>::MAX_UTC.timestamp_millis();

/// The value that stands at `cursor`.
///
/// What Go's `ParseFloat` reads, without hexadecimal floats and underscores.
#[inline]
pub(super) fn value(cursor: &mut Cursor<'_>) -> Result<f64, Problem> {
    if let Some((value, length)) = short_decimal(cursor.rest()) {
        cursor.skip(length);
        return Ok(value);
    }
    long_value(cursor.word())
}

#[cold]
pub(super) fn long_value(text: &str) -> Result<f64, Problem> {
    let value: f64 = text.parse().map_err(|_| Problem::value(text))?;
    let signed_nan = value.is_nan() && text.starts_with(['+', '-']);
    // A number too large for a float is an error there and infinity here.
    let overflown = value.is_infinite() && !text.contains(['i', 'I']);
    if signed_nan || overflown { Err(Problem::value(text)) } else { Ok(value) }
}

/// The number and its length if both its digits and its power of ten are exact as floats: then one rounding, that
/// of the last step, gives the nearest float. Nothing for any other word, right or wrong.
#[inline]
fn short_decimal(bytes: &[u8]) -> Option<(f64, usize)> {
    let first = *bytes.first()?;
    let mut at = usize::from(matches!(first, b'+' | b'-'));
    let mut mantissa = 0_u64;
    let whole = digits(bytes, &mut at, &mut mantissa);
    let mut decimals = 0;
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        decimals = digits(bytes, &mut at, &mut mantissa);
    }
    let exponent = match bytes.get(at) {
        Some(b'e' | b'E') => {
            at += 1;
            exponent(bytes, &mut at)?
        }
        _ => 0,
    };
    let is_word = matches!(bytes.get(at), None | Some(b' ' | b'\n' | b'\t'));
    if !is_word || !(1..=DIGITS_MAX).contains(&(whole + decimals)) || mantissa > MANTISSA_MAX {
        return None;
    }
    let power = exponent - i32::try_from(decimals).ok()?;
    let factor = POWERS.get(usize::try_from(power.unsigned_abs()).ok()?)?;
    let digits = mantissa as f64;
    let size = if power < 0 { digits / factor } else { digits * factor };
    Some((if first == b'-' { -size } else { size }, at))
}

/// Adds decimal digits to `number`, which wraps around beyond [`DIGITS_MAX`] of them, and tells how many.
#[inline]
fn digits(bytes: &[u8], at: &mut usize, number: &mut u64) -> usize {
    let start = *at;
    while let Some(digit) = bytes.get(*at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        *number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        *at += 1;
    }
    *at - start
}

fn exponent(bytes: &[u8], at: &mut usize) -> Option<i32> {
    let negative = bytes.get(*at) == Some(&b'-');
    *at += usize::from(matches!(bytes.get(*at), Some(b'+' | b'-')));
    let mut size = 0;
    let count = digits(bytes, at, &mut size);
    let size = i32::try_from(size).ok().filter(|_| (1..=EXPONENT_DIGITS_MAX).contains(&count))?;
    Some(if negative { -size } else { size })
}

/// The timestamp that stands at `cursor`, in milliseconds since 1970.
#[inline]
pub(super) fn timestamp_ms(cursor: &mut Cursor<'_>, format: Format) -> Result<i64, Problem> {
    let text = cursor.word();
    let millis = match format {
        Format::Text => text.parse().ok().filter(|_| !text.starts_with('+')),
        Format::OpenMetrics => decimal_seconds(text).or_else(|| float_seconds(text)),
    };
    millis
        .filter(|millis| (TIMESTAMP_MIN_MS..=TIMESTAMP_MAX_MS).contains(millis))
        .ok_or_else(|| Problem::timestamp(text, format))
}

/// Milliseconds of seconds written with digits and a point; digits below a millisecond are cut off.
///
/// Exact, where a detour through floats would turn 1.001 s into 1,000 ms.
fn decimal_seconds(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let mut at = usize::from(matches!(bytes.first()?, b'+' | b'-'));
    let mut seconds = 0;
    let whole = digits(bytes, &mut at, &mut seconds);
    let mut thousandths = 0;
    let mut decimals = 0;
    if bytes.get(at) == Some(&b'.') {
        let fraction = bytes.get(at + 1..)?;
        let kept = fraction.get(..3).unwrap_or(fraction);
        let mut inner = 0;
        let count = digits(kept, &mut inner, &mut thousandths);
        thousandths *= [1000, 100, 10, 1].get(count)?;
        at += 1;
        decimals = digits(bytes, &mut at, &mut 0);
    }
    if at != bytes.len() || whole + decimals == 0 || whole >= DIGITS_MAX {
        return None;
    }
    let millis = i64::try_from(seconds).ok()?.checked_mul(1000)?.checked_add_unsigned(thousandths)?;
    Some(if text.starts_with('-') { -millis } else { millis })
}

/// Milliseconds of seconds written in any other form.
fn float_seconds(text: &str) -> Option<i64> {
    let millis = long_value(text).ok()? * 1000.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is no whole millisecond is cut off, as Prometheus does"
    )]
    let whole = millis as i64;
    millis.is_finite().then_some(whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<u64> {
        value(&mut Cursor::new(text, 0)).ok().map(f64::to_bits)
    }

    fn std(text: &str) -> Option<u64> {
        text.parse::<f64>().ok().map(f64::to_bits)
    }

    #[test]
    fn numbers_are_bit_for_bit_those_of_the_standard_library() {
        for text in [
            "0",
            "-0",
            "+0",
            "1",
            "5.",
            ".5",
            "-.5",
            "12.47",
            "1.458255915e9",
            "7.424100000000001e-05",
            "9007199254740992",
            "9007199254740993",
            "-9007199254740993",
            "1e22",
            "1e23",
            "1E+5",
            "1e-22",
            "123456789012345678901234567890",
            "0.1e1",
            "4.9e-324",
            "1.7976931348623157e308",
            "1e-400",
            "8e0001",
            "0.000000000000000000000000001",
            "18446744073709551616",
            "8.3835e-05",
            "1e00005",
        ] {
            assert_eq!(read(text), std(text), "{text}");
            assert!(read(text).is_some(), "{text}");
        }
        for text in
            ["", ".", "-", "+", "e5", "1e", "1e+", "--1", "1..2", "1.2.3", "1e5.", "1_0", "0x10", "１"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn seconds_become_milliseconds_exactly() {
        let seconds = |text: &str| timestamp_ms(&mut Cursor::new(text, 0), Format::OpenMetrics).ok();
        for (text, millis) in [
            ("1.001", Some(1_001)),
            ("1520879607.789", Some(1_520_879_607_789)),
            ("-1.5", Some(-1_500)),
            ("0.0019", Some(1)),
            ("1.", Some(1_000)),
            (".25", Some(250)),
            ("1e3", Some(1_000_000)),
            ("1.5e-1", Some(150)),
            ("NaN", None),
            ("+Inf", None),
            ("1e300", None),
            ("99999999999999999999", None),
            (".", None),
            ("1z", None),
            ("0x1p3", None),
        ] {
            assert_eq!(seconds(text), millis, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_float_is_read_exactly(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            for text in [number.to_string(), format!("{number:e}")] {
                prop_assert_eq!(read(&text), Some(bits), "{}", text);
            }
        }

        #[test]
        fn any_decimal_is_read_as_the_standard_library_does(text in "[+-]?[0-9]{0,20}\\.?[0-9]{0,20}([eE][+-]?[0-9]{0,3})?") {
            let expected = text.parse::<f64>().ok().filter(|value| value.is_finite()).map(f64::to_bits);
            prop_assert_eq!(read(&text), expected, "{}", text);
        }

        #[test]
        fn any_milliseconds_are_read_exactly(millis in -8_000_000_000_000_000_i64..8_000_000_000_000_000) {
            let sign = if millis < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:03}", millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
            prop_assert_eq!(timestamp_ms(&mut Cursor::new(&text, 0), Format::OpenMetrics).ok(), Some(millis));
        }
    }
}
