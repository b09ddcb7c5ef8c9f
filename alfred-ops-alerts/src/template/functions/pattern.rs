//! Functions with regular expressions.

use regex::{Regex, RegexBuilder};

use super::{Arguments as _, Failure, Function, Outcome, Scope};
use crate::template::Value;
use crate::template::value::Bounded;

/// A pattern is compiled at each call.
const STEPS: u64 = 50;
/// The most memory that one compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

pub(super) const FUNCTIONS: &[Function] =
    &[Function::exact("match", 2, matches).taking(STEPS), Function::exact("reReplaceAll", 3, replace_all).taking(STEPS)];

fn compiled(pattern: &str) -> Result<Regex, Failure> {
    RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build().map_err(|error| {
        // The library draws a picture over several lines; its last line says what is wrong.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Failure::Message(format!("the pattern {pattern:?} cannot be used: {reason}"))
    })
}

/// Whether a part of the text matches.
fn matches(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    Ok(Value::Bool(compiled(arguments.text(0)?)?.is_match(arguments.text(1)?)))
}

fn replace_all(scope: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let (pattern, replacement, text) = (compiled(arguments.text(0)?)?, arguments.text(1)?, arguments.text(2)?);
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
