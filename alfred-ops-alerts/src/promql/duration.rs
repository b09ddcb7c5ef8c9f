//! Durations as Prometheus writes them: `1h30m`.

use std::fmt::Write as _;

/// The units, largest first, with their milliseconds. A year has 365 days.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 60 * 60 * 1000),
    ("w", 7 * 24 * 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// The milliseconds of a duration such as `1h30m`: numbers with units, largest first, each unit once.
///
/// A bare `0` is a duration as well. `None` if it is none or exceeds what Prometheus can hold, about 292 years.
#[must_use]
pub fn parse_duration(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    if text.is_empty() {
        return None;
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total = 0_i64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let (_, millis) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(*millis)?)?;
        rest = after;
    }
    (total <= i64::MAX / 1_000_000).then_some(total)
}

/// Writes milliseconds the way Prometheus does: `1h30m`, years and weeks only where they are exact.
#[must_use]
pub fn format_duration(millis: i64) -> String {
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = if millis < 0 { "-".to_owned() } else { String::new() };
    let mut rest = millis.unsigned_abs();
    for (unit, size) in UNITS {
        let size = size.unsigned_abs();
        let exact_only = matches!(unit, "y" | "w");
        if rest < size || (exact_only && !rest.is_multiple_of(size)) {
            continue;
        }
        // A String takes all that is written.
        let _ = write!(text, "{}{unit}", rest / size);
        rest %= size;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis) in [
            ("0", 0),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("1w2d", 777_600_000),
            ("250ms", 250),
        ] {
            assert_eq!(parse_duration(text), Some(millis), "{text}");
        }
        for text in ["", "5", "m", "1m1h", "1m1m", "1.5h", "-5m", "5 m", "999999y"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        for (millis, text) in [
            (0, "0s"),
            (300_000, "5m"),
            (-5_400_000, "-1h30m"),
            (777_600_000, "9d"),
            (1_209_600_000, "2w"),
            (1, "1ms"),
        ] {
            assert_eq!(format_duration(millis), text);
        }
    }
}
