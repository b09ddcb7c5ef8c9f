//! Durations as Prometheus writes them.

use std::time::Duration;

const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Reads `1y2w3d4h5m6s7ms`: whole numbers with units, each at most once, the largest first; or `0`.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = 0_u64;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        // The iterator only goes on, so that a unit cannot come twice or after a smaller one.
        let (_, millis) = units.find(|(unit, _)| *unit == &rest[..letters])?;
        total = total.checked_add(number.checked_mul(*millis)?)?;
        rest = &rest[letters..];
    }
    // Prometheus counts in nanoseconds of 63 bits.
    let fits = i64::try_from(total).is_ok_and(|millis| millis.checked_mul(1_000_000).is_some());
    (fits && !text.is_empty()).then(|| Duration::from_millis(total))
}

/// Writes a duration to the millisecond, in years and weeks only where nothing is left over.
pub(crate) fn format(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, millis) in UNITS {
        let exact = matches!(unit, "y" | "w");
        if rest < millis || (exact && !rest.is_multiple_of(millis)) {
            continue;
        }
        text.push_str(&format!("{}{unit}", rest / millis));
        rest %= millis;
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_those_of_prometheus() {
        for (text, seconds) in
            [("1m", 60), ("1h30m", 5400), ("1y", 31_536_000), ("2w1d", 1_296_000), ("0", 0)]
        {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for (seconds, text) in
            [(90, "1m30s"), (0, "0s"), (90 * 86_400, "90d"), (14 * 86_400, "2w"), (31_536_000, "1y")]
        {
            assert_eq!(format(Duration::from_secs(seconds)), text);
        }
        for bad in ["", "1", "-1s", "1.5s", "1s1m", "1s1s", "s", "1x", "1 s", "99999999999999y", "300y"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0..9_000_000_000_000_u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format(duration)), Some(duration));
        }
    }
}
