//! Functions with regular expressions.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::{Regex, RegexBuilder};

use super::{Arguments as _, Failure, Function, Outcome, Scope};
use crate::template::Value;
use crate::template::value::Bounded;

/// A match is more work than a look at a value.
const STEPS: u64 = 10;
/// So many patterns can be compiled in one rendering; each takes up to some milliseconds.
const COMPILED_MAX: usize = 100;
/// The most memory that one compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 256 << 10;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::exact("match", 2, matches).taking(STEPS),
    Function::exact("reReplaceAll", 3, replace_all).taking(STEPS),
];

/// The patterns of one rendering, compiled once each.
#[derive(Debug, Default)]
pub(in crate::template) struct Patterns(RefCell<HashMap<String, Regex>>);

impl Patterns {
    fn get(&self, pattern: &str) -> Result<Regex, Failure> {
        let mut known = self.0.borrow_mut();
        if let Some(regex) = known.get(pattern) {
            return Ok(regex.clone());
        }
        if known.len() >= COMPILED_MAX {
            return Err(Failure::TooManyPatterns(COMPILED_MAX));
        }
        let regex = compiled(pattern)?;
        known.insert(pattern.to_owned(), regex.clone());
        Ok(regex)
    }
}

fn compiled(pattern: &str) -> Result<Regex, Failure> {
    RegexBuilder::new(&translated(pattern)).size_limit(PATTERN_BYTES_MAX).build().map_err(|error| {
        // The library draws a picture over several lines; its last line says what is wrong.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Failure::Message(format!("the pattern {pattern:?} cannot be used: {reason}"))
    })
}

/// The pattern as this library has it: Go's `\\d`, `\\w` and `\\s` are ASCII, `[` is itself within brackets, and
/// `\\Q…\\E` quotes.
fn translated(pattern: &str) -> String {
    let mut ours = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '\\' => {
                let escaped = rest[1..].chars().next();
                taken += escaped.map_or(0, char::len_utf8);
                match escaped {
                    Some('d') => ours.push_str("[0-9]"),
                    Some('D') => ours.push_str("[^0-9]"),
                    Some('w') => ours.push_str("[0-9A-Za-z_]"),
                    Some('W') => ours.push_str("[^0-9A-Za-z_]"),
                    Some('s') => ours.push_str(r"[\t\n\f\r ]"),
                    Some('S') => ours.push_str(r"[^\t\n\f\r ]"),
                    Some('b') if !in_class => ours.push_str(r"(?-u:\b)"),
                    Some('Q') if !in_class => {
                        let quoted = rest[2..].split(r"\E").next().unwrap_or_default();
                        ours.push_str(&regex::escape(quoted));
                        taken = (2 + quoted.len() + 2).min(rest.len());
                    }
                    _ => ours.push_str(&rest[..taken]),
                }
            }
            '[' if in_class && !rest.starts_with("[:") => ours.push_str(r"\["),
            '[' if in_class => {
                taken = rest.find(":]").map_or(1, |end| end + 2);
                ours.push_str(&rest[..taken]);
            }
            '[' => {
                in_class = true;
                ours.push('[');
                // A bracket at the start does not close.
                let start = &rest[1..];
                let negates = usize::from(start.starts_with('^'));
                ours.push_str(&start[..negates]);
                if start[negates..].starts_with(']') {
                    ours.push_str(r"\]");
                    taken += 1;
                }
                taken += negates;
            }
            ']' => {
                in_class = false;
                ours.push(']');
            }
            // Doubled, they are operators in ours.
            '&' | '~' if in_class => ours.extend(['\\', c]),
            c => ours.push(c),
        }
        rest = &rest[taken..];
    }
    ours
}

/// Whether a part of the text matches.
fn matches(scope: &Scope<'_>, arguments: &[Value]) -> Outcome {
    Ok(Value::Bool(scope.patterns.get(arguments.text(0)?)?.is_match(arguments.text(1)?)))
}

fn replace_all(scope: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let (pattern, replacement, text) =
        (scope.patterns.get(arguments.text(0)?)?, arguments.text(1)?, arguments.text(2)?);
    let mut replaced = Bounded::new(scope.bytes_max);
    let mut done = 0;
    let mut expanded = String::new();
    for captures in pattern.captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        expanded.clear();
        captures.expand(replacement, &mut expanded);
        replaced.push(&text[done..whole.start()])?;
        replaced.push(&expanded)?;
        done = whole.end();
    }
    replaced.push(&text[done..])?;
    Ok(Value::from(replaced.into_text()))
}
