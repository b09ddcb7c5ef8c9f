//! Numbers for people.

use super::super::printf::format_general;
use super::calendar::time_of;
use super::{Arguments as _, Dialect, Function, Outcome, Scope};
use crate::template::Value;

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const LARGE_BINARY: [&str; 8] = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::exact("humanize", 1, |_, arguments| Ok(Value::from(humanize(arguments.number(0)?))))
        .only_in(Dialect::Rule),
    Function::exact("humanize1024", 1, |_, arguments| Ok(Value::from(humanize_1024(arguments.number(0)?))))
        .only_in(Dialect::Rule),
    Function::exact("humanizeDuration", 1, |_, arguments| {
        Ok(Value::from(humanize_seconds(arguments.number(0)?)))
    }),
    Function::exact("humanizePercentage", 1, |_, arguments| {
        Ok(Value::from(format!("{}%", four_digits(arguments.number(0)? * 100.0))))
    })
    .only_in(Dialect::Rule),
    Function::exact("humanizeTimestamp", 1, humanize_timestamp).only_in(Dialect::Rule),
];

fn four_digits(value: f64) -> String {
    format_general(value, Some(4))
}

/// The number with the prefix that leaves it below `step`.
fn shrunk(mut value: f64, step: f64, prefixes: [&'static str; 8]) -> (f64, &'static str) {
    let mut prefix = "";
    for larger in prefixes {
        if value.abs() < step {
            break;
        }
        prefix = larger;
        value /= step;
    }
    (value, prefix)
}

/// The number with the prefix that brings it to 1 at least.
fn grown(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for smaller in SMALL {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = smaller;
        value *= 1000.0;
    }
    (value, prefix)
}

fn humanize(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return four_digits(value);
    }
    let (value, prefix) = if value.abs() >= 1.0 { shrunk(value, 1000.0, LARGE) } else { grown(value) };
    format!("{}{prefix}", four_digits(value))
}

fn humanize_1024(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return four_digits(value);
    }
    let (value, prefix) = shrunk(value, 1024.0, LARGE_BINARY);
    format!("{}{prefix}", four_digits(value))
}

#[expect(clippy::cast_possible_truncation, reason = "the whole seconds are wanted; what is larger saturates")]
fn humanize_seconds(value: f64) -> String {
    if !value.is_finite() {
        return four_digits(value);
    }
    if value == 0.0 {
        return format!("{}s", four_digits(value));
    }
    if value.abs() < 1.0 {
        let (value, prefix) = grown(value);
        return format!("{}{prefix}s", four_digits(value));
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let whole = value.abs() as i64;
    let (seconds, minutes, hours, days) = (whole % 60, whole / 60 % 60, whole / 3600 % 24, whole / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", four_digits(value.abs())),
        (0, 0, _) => format!("{sign}{minutes}m {seconds}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
    }
}

fn humanize_timestamp(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let seconds = arguments.number(0)?;
    if !seconds.is_finite() {
        return Ok(Value::from(four_digits(seconds)));
    }
    Ok(Value::from(time_of(seconds)?.to_string()))
}
