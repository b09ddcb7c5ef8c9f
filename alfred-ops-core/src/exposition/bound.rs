//! The bounds of buckets and the ranks of quantiles, as labels.

use super::FamilyKind;
use super::number::long_value;

/// From here on a number is written with an exponent, and below the other limit.
const EXPONENTS: std::ops::Range<i32> = -4..6;

/// The label whose value is a number in series of this kind.
pub(super) const fn label(kind: FamilyKind) -> Option<&'static str> {
    match kind {
        FamilyKind::Histogram => Some("le"),
        FamilyKind::Summary => Some("quantile"),
        _ => None,
    }
}

/// A number as Prometheus 3 and `OpenMetrics` write it in such a label: `1` is `1.0`, `0.50` is `0.5`, a million `1e+06`.
/// `None` if the text is no number.
pub(super) fn normalized(text: &str) -> Option<String> {
    long_value(text).ok().map(written)
}

/// A number written so.
pub(crate) fn written(value: f64) -> String {
    if !value.is_finite() {
        let text = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        };
        return text.to_owned();
    }
    // Nobody tells the zeros apart.
    let value = if value == 0.0 { 0.0 } else { value };
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !EXPONENTS.contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let decimal = value.to_string();
    if decimal.contains('.') { decimal } else { decimal + ".0" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_written_as_floats_and_other_words_stay() {
        for (text, expected) in [
            ("1", Some("1.0")),
            ("-0", Some("0.0")),
            ("0.50", Some("0.5")),
            ("+.5", Some("0.5")),
            ("1e3", Some("1000.0")),
            ("123456.5", Some("123456.5")),
            ("1000000", Some("1e+06")),
            ("1234567", Some("1.234567e+06")),
            ("0.0001", Some("0.0001")),
            ("0.00001", Some("1e-05")),
            ("1e300", Some("1e+300")),
            ("inf", Some("+Inf")),
            ("-Infinity", Some("-Inf")),
            ("nan", Some("NaN")),
            ("+NaN", None),
            ("1e999", None),
            ("1 ", None),
            ("", None),
            ("ten", None),
        ] {
            assert_eq!(normalized(text).as_deref(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same_and_stays(value in prop::num::f64::ANY) {
            let text = written(value);
            prop_assert_eq!(normalized(&text), Some(text.clone()));
            let back: f64 = text.parse().unwrap();
            prop_assert!(back == value || (back.is_nan() && value.is_nan()));
        }
    }
}
