//! Bytes as hexadecimal digits.

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that an even number of hexadecimal digits spells.
pub(crate) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let text = std::str::from_utf8(pair).ok().filter(|_| pair.len() == 2)?;
        u8::from_str_radix(text, 16).ok()
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_bytes_tell_the_same() {
        assert_eq!(hex(&[0, 0xaf, 9]), "00af09");
        assert_eq!(unhex("00af09"), Some(vec![0, 0xaf, 9]));
        assert_eq!((unhex("0"), unhex("0g"), unhex("ä")), (None, None, None));
    }
}
