//! Classes of characters, between brackets.

use std::fmt::Write as _;

use super::escape::perl_class;
use super::translator::Translator;

const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

impl Translator<'_> {
    pub(super) fn class(&mut self) -> Result<(), String> {
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
    pub(super) fn range(&mut self, c: char) -> Result<(), String> {
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

    pub(super) fn class_character(&mut self, c: char) -> Result<char, String> {
        if c != '\\' {
            return Ok(c);
        }
        let Some(c) = self.rest.next() else { return Err("a backslash ends it".to_owned()) };
        self.escaped_character(c)
    }

    /// `[:alpha:]` and the like, whose `[` has been read, if one stands there.
    pub(super) fn posix_class(&mut self) -> Result<bool, String> {
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
}
