//! A place in a line.

use std::borrow::Cow;

use super::cause::Problem;

/// A place in a line, and what can be read from there.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(line: &'a str) -> Self {
        Self { rest: line }
    }

    pub(super) fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// All that is left.
    pub(super) const fn rest(&self) -> &'a str {
        self.rest
    }

    pub(super) fn take(&mut self, wanted: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(wanted) else {
            return false;
        };
        self.rest = rest;
        true
    }

    pub(super) fn starts_with(&self, wanted: char) -> bool {
        self.rest.starts_with(wanted)
    }

    /// Everything up to the next blank or end.
    pub(super) fn word(&mut self) -> &'a str {
        self.take_until(|c| c == ' ' || c == '\t')
    }

    fn take_until(&mut self, stop: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(stop).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// A metric's name, unquoted.
    pub(super) fn metric_name(&mut self) -> Option<&'a str> {
        self.name(|c| c == '_' || c == ':')
    }

    /// A label's name, unquoted.
    pub(super) fn label_name(&mut self) -> Option<&'a str> {
        self.name(|c| c == '_')
    }

    fn name(&mut self, punctuation: impl Fn(char) -> bool) -> Option<&'a str> {
        if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let name = self.take_until(|c| !c.is_ascii_alphanumeric() && !punctuation(c));
        (!name.is_empty()).then_some(name)
    }

    /// A text whose opening quote has been taken, up to and with its closing quote; nothing if there is none.
    pub(super) fn quoted(&mut self) -> Option<Cow<'a, str>> {
        let mut escaped = false;
        let mut any_escape = false;
        let end = self.rest.bytes().position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            any_escape |= escaped;
            closes
        })?;
        let raw = self.rest.get(..end)?;
        self.rest = self.rest.get(end + 1..)?;
        Some(if any_escape { Cow::Owned(unescape(raw, true)) } else { Cow::Borrowed(raw) })
    }

    /// The error that something else than `expected` stands here.
    pub(super) fn expected(&self, expected: &'static str) -> Problem {
        let found = self.rest.chars().next().map_or("the end of the line".to_owned(), |c| format!("{c:?}"));
        Problem::Expected { expected, found }
    }
}

/// Undoes `\\` and `\n`, and `\"` where quotes are escaped; a backslash before anything else stands for itself.
pub(super) fn unescape(raw: &str, quotes: bool) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut characters = raw.chars().peekable();
    while let Some(character) = characters.next() {
        let replacement = match (character, characters.peek()) {
            ('\\', Some('\\')) => '\\',
            ('\\', Some('n')) => '\n',
            ('\\', Some('"')) if quotes => '"',
            _ => {
                text.push(character);
                continue;
            }
        };
        characters.next();
        text.push(replacement);
    }
    text
}
