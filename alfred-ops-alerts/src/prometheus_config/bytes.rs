//! Sizes as Prometheus writes them.

/// Reads `512KB`, `10MiB`, `1GB512MB`: numbers with units, all of them powers of 1024; or `0`.
pub(super) fn parse(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = &rest[..letters];
        let power = ["B", "K", "M", "G", "T", "P", "E"].iter().position(|known| match *known {
            "B" => unit == "B",
            known => unit == format!("{known}B") || unit == format!("{known}iB"),
        })?;
        total += number * 1024_f64.powi(i32::try_from(power).ok()?);
        rest = &rest[letters..];
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "its range was checked")]
    let bytes = (total < 9.2e18).then_some(total as u64);
    bytes.filter(|_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("5B", 5),
            ("10MB", 10 << 20),
            ("10MiB", 10 << 20),
            ("1.5KB", 1536),
            ("1GB512MB", 3 << 29),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for bad in ["", "5", "MB", "5 MB", "5mb", "1.2.3B", "-1B", "99999EB"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
