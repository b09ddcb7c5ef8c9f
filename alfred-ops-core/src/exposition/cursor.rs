//! A place in a page.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr2, memchr3};

use super::Format;
use super::cause::Problem;

/// Bytes of a metric's name, unquoted.
pub(super) const METRIC: u8 = 1;
/// Bytes of a label's name, unquoted.
pub(super) const LABEL: u8 = 2;
const DIGIT: u8 = 4;

/// Which names a byte can be part of.
const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    loop {
        classes[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => METRIC | LABEL,
            b'0'..=b'9' => METRIC | LABEL | DIGIT,
            b':' => METRIC,
            _ => 0,
        };
        if byte == u8::MAX {
            return classes;
        }
        byte += 1;
    }
}

/// Whether `text` is a name that needs no quotes.
pub(super) fn is_plain(text: &str, class: u8) -> bool {
    let mut cursor = Cursor::new(text, 0);
    cursor.name(class).is_some() && cursor.at == text.len()
}

/// A place in a page, and what can be read from there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'t> {
    page: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) const fn new(page: &'t str, at: usize) -> Self {
        Self { page, at }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) const fn go_back(&mut self, at: usize) {
        self.at = at;
    }

    /// Everything from here to the end of the page.
    #[inline]
    pub(super) fn rest(&self) -> &'t [u8] {
        self.page.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Everything between the earlier place `start` and here.
    #[inline]
    pub(super) fn since(&self, start: usize) -> &'t str {
        self.page.get(start..self.at).unwrap_or_default()
    }

    #[inline]
    pub(super) fn text(&self, place: Range<usize>) -> &'t str {
        self.page.get(place).unwrap_or_default()
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.page.as_bytes().get(self.at).copied()
    }

    #[inline]
    pub(super) fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    pub(super) fn take_text(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted.as_bytes());
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    /// Goes over so many bytes that are known to be ASCII.
    #[inline]
    pub(super) const fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    #[inline]
    pub(super) fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// Whether a line ends here.
    #[inline]
    pub(super) fn is_at_line_end(&self) -> bool {
        matches!(self.peek(), None | Some(b'\n'))
    }

    /// Everything up to the next blank or the line's end.
    pub(super) fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let start = self.at;
        self.at += memchr3(b' ', b'\t', b'\n', rest).unwrap_or(rest.len());
        self.since(start)
    }

    /// Everything up to the line's end.
    pub(super) fn line(&mut self) -> &'t str {
        let rest = self.rest();
        let start = self.at;
        self.at += memchr(b'\n', rest).unwrap_or(rest.len());
        self.since(start)
    }

    /// A name of bytes of `class`, unquoted; nothing if none stands here.
    #[inline]
    pub(super) fn name(&mut self, class: u8) -> Option<&'t str> {
        let rest = self.rest();
        let first = CLASSES[usize::from(*rest.first()?)];
        if first & class == 0 || first & DIGIT != 0 {
            return None;
        }
        let start = self.at;
        self.at +=
            rest.iter().position(|byte| CLASSES[usize::from(*byte)] & class == 0).unwrap_or(rest.len());
        Some(self.since(start))
    }

    /// A text whose opening quote has been taken, up to and with its closing quote, escapes left in; nothing if
    /// there is none. Line breaks within are part of the text in Prometheus' format only.
    #[inline]
    pub(super) fn quoted(&mut self, format: Format) -> Option<&'t str> {
        let bytes = self.page.as_bytes();
        let mut at = self.at;
        loop {
            let rest = bytes.get(at..)?;
            at += match format {
                Format::Text => memchr2(b'"', b'\\', rest)?,
                Format::OpenMetrics => memchr3(b'"', b'\\', b'\n', rest)?,
            };
            match bytes.get(at)? {
                b'"' => break,
                b'\\' if *bytes.get(at + 1)? != b'\n' => at += 2,
                _ => return None,
            }
        }
        let raw = self.page.get(self.at..at)?;
        self.at = at + 1;
        Some(raw)
    }

    /// A name whose opening quote has been taken, up to and with its closing quote, escapes left in.
    pub(super) fn quoted_name(&mut self, format: Format) -> Result<&'t str, Problem> {
        let name = self.quoted(format).ok_or(Problem::UnclosedName)?;
        if memchr(0, name.as_bytes()).is_some() { Err(Problem::ZeroByte) } else { Ok(name) }
    }

    /// Goes over the usual label, `name="value"` without blanks and escapes, and tells where both lie; stays
    /// where it is if something else stands here, which may be a label all the same.
    #[inline]
    pub(super) fn plain_label(&mut self) -> Option<(Range<usize>, Range<usize>)> {
        let rest = self.rest();
        let first = CLASSES[usize::from(*rest.first()?)];
        if first & LABEL == 0 || first & DIGIT != 0 {
            return None;
        }
        let name = rest.iter().position(|byte| CLASSES[usize::from(*byte)] & LABEL == 0)?;
        let quoted = rest.get(name..)?.strip_prefix(b"=\"")?;
        let value = memchr3(b'"', b'\\', b'\n', quoted)?;
        if quoted.get(value) != Some(&b'"') {
            return None;
        }
        let (name_at, value_at) = (self.at, self.at + name + 2);
        self.at = value_at + value + 1;
        Some((name_at..name_at + name, value_at..value_at + value))
    }

    /// The error that something else than `expected` stands here.
    pub(super) fn expected(&self, expected: &'static str) -> Problem {
        let found = self.page.get(self.at..).and_then(|rest| rest.chars().next()).filter(|c| *c != '\n');
        let found = found.map_or("the end of the line".to_owned(), |c| format!("{c:?}"));
        Problem::Expected { expected, found }
    }
}

/// Undoes `\\` and `\n`, and `\"` where quotes are escaped; a backslash before anything else stands for itself.
pub(super) fn unescape(raw: &str, quotes: bool) -> Cow<'_, str> {
    if memchr(b'\\', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
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
    Cow::Owned(text)
}
