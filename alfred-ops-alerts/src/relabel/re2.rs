//! RE2's syntax in that of the `regex` crate.
//!
//! The two agree on most. Where they do not, a pattern that Prometheus accepts must mean the same here, and one
//! that it refuses must be refused: RE2's `\d`, `\w`, `\s` and `\b` know ASCII only, `[` within a class is a
//! plain character, a `{` that begins no count is one too, and there are no set operations.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

/// The highest count that RE2 accepts in `{n,m}`.
const COUNT_MAX: u32 = 1000;

const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// The same expression in the syntax of the `regex` crate; the error says what RE2 refuses.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let mut translator = Translator { rest: pattern.chars().peekable(), out: String::new(), repeated: false };
    translator.run()?;
    Ok(translator.out)
}

struct Translator<'p> {
    rest: Peekable<Chars<'p>>,
    out: String,
    /// Whether what was read last is a repetition: another may not follow.
    repeated: bool,
}

impl Translator<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.rest.next() {
            let repetition = match c {
                '*' | '+' | '?' => Some(c.to_string()),
                '{' => self.count()?,
                _ => None,
            };
            if let Some(repetition) = repetition {
                self.repeat(&repetition)?;
                continue;
            }
            self.repeated = false;
            match c {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                '{' | '}' | ']' => self.literal(c),
                c => self.out.push(c),
            }
        }
        Ok(())
    }

    fn repeat(&mut self, repetition: &str) -> Result<(), String> {
        if self.repeated {
            return Err(format!("a repetition cannot be repeated: `{repetition}`"));
        }
        self.out.push_str(repetition);
        if self.rest.next_if_eq(&'?').is_some() {
            self.out.push('?');
        }
        self.repeated = true;
        Ok(())
    }

    /// A count behind its `{`, if one stands there.
    fn count(&mut self) -> Result<Option<String>, String> {
        let mut ahead = self.rest.clone();
        let mut text = String::from("{");
        loop {
            match ahead.next() {
                Some('}') => break,
                Some(c) if c.is_ascii_digit() || c == ',' => text.push(c),
                _ => return Ok(None),
            }
        }
        let (least, most) = text[1..].split_once(',').unwrap_or((&text[1..], ""));
        if least.is_empty() || most.contains(',') {
            return Ok(None);
        }
        let read = |digits: &str| digits.parse().ok().filter(|count: &u32| *count <= COUNT_MAX);
        let (low, high) = (read(least), if most.is_empty() { Some(COUNT_MAX) } else { read(most) });
        if !matches!((low, high), (Some(low), Some(high)) if low <= high) {
            return Err(format!("the count {text}}} is above {COUNT_MAX} or its ends are swapped"));
        }
        self.rest = ahead;
        text.push('}');
        Ok(Some(text))
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(c) = self.rest.next() else { return Err("a backslash ends it".to_owned()) };
        match c {
            'b' | 'B' => {
                let _ = write!(self.out, "(?-u:\\{c})");
            }
            'A' | 'z' => self.out.extend(['\\', c]),
            'Q' => self.quotation(),
            'p' | 'P' => self.property(c)?,
            c if perl_class(c).is_some() => {
                let (negated, members) = perl_class(c).unwrap_or_default();
                let _ = write!(self.out, "[{}{members}]", if negated { "^" } else { "" });
            }
            c => {
                let character = self.escaped_character(c)?;
                self.literal(character);
            }
        }
        Ok(())
    }

    /// The character that an escape stands for, its first character having been read.
    fn escaped_character(&mut self, c: char) -> Result<char, String> {
        let code = match c {
            'a' => 0x07,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'v' => 0x0b,
            'x' => self.hexadecimal()?,
            '0' => self.octal(0, 2),
            '1'..='7' if self.rest.peek().is_some_and(|next| next.is_digit(8)) => {
                self.octal(c.to_digit(8).unwrap_or(0), 2)
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => u32::from(c),
            c => return Err(format!("`\\{c}` is no escape")),
        };
        char::from_u32(code).ok_or_else(|| format!("`\\x{{{code:x}}}` is no character"))
    }

    fn octal(&mut self, first: u32, digits_max: usize) -> u32 {
        let mut code = first;
        for _ in 0..digits_max {
            let Some(digit) = self.rest.next_if(|c| c.is_digit(8)) else { break };
            code = code * 8 + digit.to_digit(8).unwrap_or(0);
        }
        code
    }

    fn hexadecimal(&mut self) -> Result<u32, String> {
        let mut digits = String::new();
        if self.rest.next_if_eq(&'{').is_some() {
            digits.extend(self.rest.by_ref().take_while(|c| *c != '}'));
        } else {
            digits.extend(self.rest.by_ref().take(2));
        }
        // The standard library would take a sign too.
        let code = u32::from_str_radix(&digits, 16).ok().filter(|_| !digits.starts_with('+'));
        code.ok_or_else(|| format!("`\\x{digits}` is no character"))
    }

    fn property(&mut self, letter: char) -> Result<(), String> {
        let mut name = String::new();
        match self.rest.next() {
            Some('{') => {
                name.extend(self.rest.by_ref().take_while(|c| *c != '}'));
            }
            Some(c) => name.push(c),
            None => return Err(format!("`\\{letter}` names no class of characters")),
        }
        let (name, turned) = name.strip_prefix('^').map_or((&*name, false), |name| (name, true));
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') || name.is_empty() {
            return Err(format!("`\\{letter}{{{name}}}` names no class of characters"));
        }
        let letter = if (letter == 'P') == turned { 'p' } else { 'P' };
        let _ = write!(self.out, "\\{letter}{{{name}}}");
        Ok(())
    }

    /// Everything up to `\E` as it stands.
    fn quotation(&mut self) {
        while let Some(c) = self.rest.next() {
            if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.literal(c);
        }
    }

    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        self.out.push('?');
        let mut flags = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphabetic() || *c == '-') {
            flags.push(c);
        }
        let named = matches!(self.rest.peek(), Some('<')) && matches!(&*flags, "" | "P");
        let known = flags.chars().all(|c| "imsU-".contains(c));
        let flagged = known && matches!(self.rest.peek(), Some(':' | ')'));
        if !named && !flagged {
            return Err(format!("`(?{flags}` begins no group"));
        }
        self.out.push_str(&flags);
        // The name is read at once: what stands in it is no syntax.
        while named && let Some(c) = self.rest.next() {
            self.out.push(c);
            if c == '>' {
                break;
            }
        }
        Ok(())
    }

    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let Some(c) = self.rest.next() else { return Err("a `[` is not closed".to_owned()) };
            match c {
                ']' if !first => break,
                '[' if self.rest.peek() == Some(&':') && self.posix_class()? => {}
                '\\' if self
                    .rest
                    .peek()
                    .is_some_and(|c| matches!(c, 'p' | 'P') || perl_class(*c).is_some()) =>
                {
                    let letter = self.rest.next().unwrap_or_default();
                    match perl_class(letter) {
                        Some((false, members)) => self.out.push_str(members),
                        Some((true, members)) => {
                            let _ = write!(self.out, "[^{members}]");
                        }
                        None => self.property(letter)?,
                    }
                }
                c => self.range(c)?,
            }
            first = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// A character of a class, or a range that begins with it.
    fn range(&mut self, c: char) -> Result<(), String> {
        let low = self.class_character(c)?;
        self.code(low);
        let mut ahead = self.rest.clone();
        if ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']') {
            self.rest.next();
            let c = self.rest.next().unwrap_or_default();
            let high = self.class_character(c)?;
            if high < low {
                return Err(format!("the range {low}-{high} is the wrong way round"));
            }
            self.out.push('-');
            self.code(high);
        }
        Ok(())
    }

    fn class_character(&mut self, c: char) -> Result<char, String> {
        if c != '\\' {
            return Ok(c);
        }
        let Some(c) = self.rest.next() else { return Err("a backslash ends it".to_owned()) };
        self.escaped_character(c)
    }

    /// `[:alpha:]` and the like, whose `[` has been read, if one stands there.
    fn posix_class(&mut self) -> Result<bool, String> {
        let rest: String = self.rest.clone().skip(1).collect();
        let Some((name, _)) = rest.split_once(":]") else { return Ok(false) };
        let bare = name.strip_prefix('^').unwrap_or(name);
        if !POSIX_CLASSES.contains(&bare) {
            return Err(format!("`[:{name}:]` is no class of characters"));
        }
        let _ = write!(self.out, "[:{name}:]");
        for _ in 0..name.chars().count() + 3 {
            self.rest.next();
        }
        Ok(true)
    }

    fn literal(&mut self, c: char) {
        self.out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    fn code(&mut self, c: char) {
        let _ = write!(self.out, "\\x{{{:x}}}", u32::from(c));
    }
}

/// Whether a class such as `\d` is the opposite, and which characters it is about.
const fn perl_class(c: char) -> Option<(bool, &'static str)> {
    match c {
        'd' => Some((false, "0-9")),
        'D' => Some((true, "0-9")),
        's' => Some((false, r"\t\n\x0c\r ")),
        'S' => Some((true, r"\t\n\x0c\r ")),
        'w' => Some((false, "0-9A-Za-z_")),
        'W' => Some((true, "0-9A-Za-z_")),
        _ => None,
    }
}
