//! Lower and upper case, one character for one.

/// The text in lower case as Go has it: each character by its simple mapping, so none becomes two.
pub(super) fn lower(text: &str) -> String {
    text.chars().map(|c| if c == '\u{130}' { 'i' } else { only(c.to_lowercase(), c) }).collect()
}

/// The text in upper case as Go has it: `ß`, which has no single capital, stays.
pub(super) fn upper(text: &str) -> String {
    text.chars().map(upper_one).collect()
}

fn upper_one(c: char) -> char {
    // Greek letters with a subscript iota have one capital of their own, and a full mapping of two characters.
    let offset = match c {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => 9,
        _ => return only(c.to_uppercase(), c),
    };
    char::from_u32(u32::from(c) + offset).unwrap_or(c)
}

fn only(mut mapped: impl Iterator<Item = char>, original: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => original,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_stays_one() {
        assert_eq!(lower("Hello ÄΣ İ"), "hello äσ i");
        assert_eq!(upper("straße ᾀ ǆ ﬁ"), "STRAßE ᾈ Ǆ ﬁ");
    }
}
