//! Numbers and quoted text as Go writes them.

use crate::promql;

/// The number, if it is a whole one or one with a fraction.
pub(super) enum Number {
    Whole(i64),
    Float(f64),
}

/// Reads a number; the error says what is wrong with it.
pub(super) fn number(text: &str) -> Result<Number, String> {
    let (negative, magnitude) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = magnitude.to_ascii_lowercase().replace('_', "");
    let prefixed = ["0x", "0o", "0b"]
        .iter()
        .zip([16, 8, 2])
        .find_map(|(prefix, radix)| lower.strip_prefix(prefix).map(|digits| (digits, radix)));
    let (digits, radix) = match prefixed {
        Some(found) => found,
        None if lower.contains(['.', 'e']) => {
            let value: f64 = lower.parse().map_err(|_| format!("{text:?} is no number"))?;
            if value.is_infinite() {
                return Err(format!("the number {text:?} is out of range"));
            }
            return Ok(Number::Float(if negative { -value } else { value }));
        }
        None if lower.len() > 1 && lower.starts_with('0') => (&lower[1..], 8),
        None => (lower.as_str(), 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(format!("{text:?} is no number"));
    }
    let signed = format!("{}{digits}", if negative { "-" } else { "" });
    i64::from_str_radix(&signed, radix)
        .map(Number::Whole)
        .map_err(|_| format!("the whole number {text:?} does not fit 64 bits"))
}

/// Undoes the escapes between quotes. `None` if one is unknown or incomplete. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn unquote(inner: &str, quote: char) -> Option<String> {
    let bytes = promql::unquote(inner, quote)?;
    Some(
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

/// The code of a character between single quotes; `None` unless there is exactly one.
pub(super) fn rune(inner: &str) -> Option<i64> {
    // A byte escape is a character of that number, not a piece of UTF-8.
    if let Some(digits) = inner.strip_prefix("\\x") {
        return (digits.len() == 2).then(|| i64::from_str_radix(digits, 16).ok())?;
    }
    if inner.len() == 4
        && inner.starts_with('\\')
        && inner[1..].bytes().all(|byte| matches!(byte, b'0'..=b'7'))
    {
        return i64::from_str_radix(&inner[1..], 8).ok().filter(|code| *code < 256);
    }
    let text = unquote(inner, '\'')?;
    let mut chars = text.chars();
    let c = chars.next()?;
    chars.next().is_none().then(|| i64::from(u32::from(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_go() {
        for (text, expected) in
            [("0x1F", 31), ("017", 15), ("0b101", 5), ("-1_000", -1000), ("0", 0), ("+7", 7)]
        {
            assert!(matches!(number(text), Ok(Number::Whole(value)) if value == expected), "{text}");
        }
        for (text, expected) in [("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5), ("-2.", -2.0)] {
            assert!(
                matches!(number(text), Ok(Number::Float(value)) if value.to_bits() == expected_bits(expected)),
                "{text}"
            );
        }
        for text in ["9223372036854775808", "09", "1e999", "0x", "1i"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    fn expected_bits(value: f64) -> u64 {
        value.to_bits()
    }

    #[test]
    fn escapes_are_those_of_go() {
        assert_eq!(unquote(r#"a\x41\101\u00e9\n\\\""#, '"').as_deref(), Some("aAAé\n\\\""));
        assert_eq!(unquote(r"\xff", '"').as_deref(), Some("\u{fffd}"));
        assert_eq!(unquote(r"\'", '"'), None);
        assert_eq!(unquote(r"\x4", '"'), None);
        for (inner, code) in
            [("a", 97), ("é", 233), (r"\n", 10), (r"\xff", 255), (r"\'", 39), (r"\u00e9", 233)]
        {
            assert_eq!(rune(inner), Some(code), "{inner}");
        }
        assert_eq!(rune("ab"), None);
        assert_eq!(rune(""), None);
    }
}
