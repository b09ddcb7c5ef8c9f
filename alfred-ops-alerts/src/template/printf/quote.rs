//! Text in quotes.

/// Whether Go shows the character as it is: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub(in crate::template) fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    // Rust escapes the same characters, but marks only at a text's start.
    ['a', c].iter().collect::<String>().escape_debug().count() == 2
}

fn push_escaped(text: &mut String, c: char, quote: char, ascii: bool) {
    let short = match c {
        '\\' => Some('\\'),
        '\x07' => Some('a'),
        '\x08' => Some('b'),
        '\x0c' => Some('f'),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\x0b' => Some('v'),
        c if c == quote => Some(quote),
        _ => None,
    };
    match (short, u32::from(c)) {
        (Some(letter), _) => text.extend(['\\', letter]),
        _ if is_printable(c) && (c.is_ascii() || !ascii) => text.push(c),
        (None, code @ 0..0x20 | code @ 0x7f) => text.push_str(&format!("\\x{code:02x}")),
        (None, code @ 0..0x1_0000) => text.push_str(&format!("\\u{code:04x}")),
        (None, code) => text.push_str(&format!("\\U{code:08x}")),
    }
}

/// A text in double quotes; with `ascii`, all that is beyond ASCII escaped.
pub(super) fn quote(text: &str, ascii: bool) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        push_escaped(&mut quoted, c, '"', ascii);
    }
    quoted.push('"');
    quoted
}

/// A character in single quotes.
pub(super) fn quote_char(c: char, ascii: bool) -> String {
    let mut quoted = String::from("'");
    push_escaped(&mut quoted, c, '\'', ascii);
    quoted.push('\'');
    quoted
}

/// Whether text can stand in back quotes.
pub(super) fn can_be_raw(text: &str) -> bool {
    text.chars().all(|c| c == '\t' || (!c.is_control() && c != '`' && c != '\u{feff}'))
}
