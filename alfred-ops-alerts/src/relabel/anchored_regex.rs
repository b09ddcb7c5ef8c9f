//! A regular expression that must match all of a text.

use std::fmt;

use regex::{Captures, Regex, RegexBuilder};

use super::re2;

/// How much memory a compiled expression may take: a configuration may come from many hands.
const SIZE_BYTES_MAX: usize = 4 << 20;

/// How long a pattern may be: some thousand names of hosts, one beside the other.
const PATTERN_BYTES_MAX: usize = 128 << 10;

/// A regular expression in RE2's syntax that must match all of a text, line breaks included.
#[derive(Clone)]
pub(crate) struct AnchoredRegex {
    pattern: String,
    regex: Regex,
}

impl AnchoredRegex {
    /// Compiles `pattern`; the error says what is wrong with it.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(format!("it is longer than {PATTERN_BYTES_MAX} bytes"));
        }
        let translated = re2::translate(pattern)?;
        let regex = RegexBuilder::new(&format!("^(?s:{translated})$"))
            .size_limit(SIZE_BYTES_MAX)
            .build()
            .map_err(|error| last_line(&error))?;
        Ok(Self { pattern: pattern.to_owned(), regex })
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    pub(crate) fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.regex.captures(text)
    }
}

/// The library draws the pattern over several lines; what is wrong stands on the last.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next_back().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

impl PartialEq for AnchoredRegex {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl fmt::Debug for AnchoredRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.pattern, f)
    }
}
