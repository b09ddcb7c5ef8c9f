//! Numbers as Kubernetes writes them.

/// Longer ones nobody writes.
const BYTES_MAX: usize = 64;
const SUFFIXES: [(&str, f64); 15] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// A quantity such as `250m`, `1.5`, `64Mi` or `1e3` as a number; none if it is none.
pub(crate) fn quantity(text: &str) -> Option<f64> {
    if text.is_empty() || text.len() > BYTES_MAX {
        return None;
    }
    let found = SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
    let (number, factor) = found.unwrap_or((text, 1.0));
    // Rust reads words such as "inf", which are no quantities.
    let digits = |letter: char| letter.is_ascii_digit() || "+-.eE".contains(letter);
    if !number.chars().all(digits)
        || !number.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
    {
        return None;
    }
    number.parse::<f64>().ok().map(|number| number * factor).filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<f64>) {
        let found = quantity(text);
        let near = match (found, expected) {
            (Some(found), Some(expected)) => (found - expected).abs() <= expected.abs() * 1e-12,
            (found, expected) => found.is_none() && expected.is_none(),
        };
        assert!(near, "{text:?} is {found:?}, not {expected:?}");
    }

    #[test]
    fn quantities_are_read_as_kubernetes_does() {
        check("250m", Some(0.25));
        check("1", Some(1.0));
        check("1.5", Some(1.5));
        check(".5", Some(0.5));
        check("12345678n", Some(0.012_345_678));
        check("3u", Some(3e-6));
        check("64Mi", Some(67_108_864.0));
        check("1Ki", Some(1024.0));
        check("2Gi", Some(2_147_483_648.0));
        check("128974848", Some(128_974_848.0));
        check("129e6", Some(129e6));
        check("1E3", Some(1000.0));
        check("1E", Some(1e18));
        check("0", Some(0.0));
        check("-1", Some(-1.0));
        for bad in ["", "m", "Mi", "inf", "NaN", "1 Mi", "1mi", "0x10", "1e999", "1Mim"] {
            check(bad, None);
        }
    }
}
