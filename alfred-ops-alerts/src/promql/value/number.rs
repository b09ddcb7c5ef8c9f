//! Numbers as Prometheus prints them.

/// The shortest decimal that reads back equal, without exponent; `+Inf`, `-Inf`, `NaN`.
pub(crate) fn format_float(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}

/// The shortest decimal that reads back equal, with an exponent where Go's `%g` has one: below 1e-4 and from 1e6.
pub(crate) fn format_general(value: f64) -> String {
    let magnitude = value.abs();
    if value.is_finite() && magnitude != 0.0 && !(1e-4..1e6).contains(&magnitude) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format_float(value)
}

/// A number as OpenMetrics writes it in labels: whole numbers end in `.0`.
pub(crate) fn format_label_float(value: f64) -> String {
    let text = format_general(value);
    let whole = value.is_finite() && !text.contains(['.', 'e']);
    if whole { format!("{text}.0") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_in_go() {
        assert_eq!(format_float(1e21), "1000000000000000000000");
        assert_eq!(format_float(f64::INFINITY), "+Inf");
        assert_eq!(format_general(1e21), "1e+21");
        assert_eq!(format_general(0.00001), "1e-05");
        assert_eq!(format_general(999_999.5), "999999.5");
        assert_eq!(format_general(1_700_002_558.0), "1.700002558e+09");
        assert_eq!(format_label_float(1_000_000.0), "1e+06");
        assert_eq!(format_general(0.25), "0.25");
        assert_eq!(format_general(f64::NAN), "NaN");
    }
}
