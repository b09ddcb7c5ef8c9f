//! Values as JSON.

use std::fmt::Write as _;

use super::super::printf::format_general;
use super::{Dialect, Failure, Function, Outcome, Scope};
use crate::template::Value;
use crate::template::value::Bounded;

pub(super) const FUNCTIONS: &[Function] =
    &[Function::exact("toJson", 1, to_json).only_in(Dialect::Notification)];

fn to_json(scope: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let mut text = Bounded::new(scope.bytes_max);
    write(arguments.first().unwrap_or(&Value::Nil), &mut text)?;
    Ok(Value::from(text.into_text()))
}

fn write(value: &Value, to: &mut Bounded) -> Result<(), Failure> {
    match value.contents() {
        Value::Nil => to.push("null")?,
        Value::Bool(value) => to.push(if *value { "true" } else { "false" })?,
        Value::Int(value) => to.push(&value.to_string())?,
        Value::Span(span) => to.push(&span.nanos().to_string())?,
        Value::Float(value) if value.is_finite() => to.push(&number(*value))?,
        Value::Float(value) => return Err(format!("JSON has no {}", format_general(*value, None)).into()),
        Value::Text(text) => write_text(text, to)?,
        Value::Time(time) => write_text(&time.format("2006-01-02T15:04:05.999999999Z07:00"), to)?,
        Value::List(list) => {
            to.push("[")?;
            for (place, item) in list.items().iter().enumerate() {
                to.push(if place == 0 { "" } else { "," })?;
                write(item, to)?;
            }
            to.push("]")?;
        }
        Value::Map(map) => {
            to.push("{")?;
            for (place, (name, value)) in map.iter().enumerate() {
                to.push(if place == 0 { "" } else { "," })?;
                write_text(name, to)?;
                to.push(":")?;
                write(value, to)?;
            }
            to.push("}")?;
        }
        Value::Record(record) => {
            return Err(
                format!("{} has no form in JSON; write its fields one by one", record.type_name()).into()
            );
        }
    }
    Ok(())
}

/// A number with an exponent where it is very small or very large, which JSON writes shorter than Go.
fn number(value: f64) -> String {
    if value == 0.0 || (1e-6..1e21).contains(&value.abs()) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}

/// A text in quotes, with what HTML would take for its own escaped as Go does.
fn write_text(text: &str, to: &mut Bounded) -> Result<(), Failure> {
    to.push("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => to.push_char('\\').and_then(|()| to.push_char(c))?,
            '\u{8}' => to.push("\\b")?,
            '\u{c}' => to.push("\\f")?,
            '\n' => to.push("\\n")?,
            '\r' => to.push("\\r")?,
            '\t' => to.push("\\t")?,
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..' ' => {
                write!(to, "\\u{:04x}", u32::from(c)).map_err(|_| Failure::TooLong)?;
            }
            c => to.push_char(c)?,
        }
    }
    Ok(to.push("\"")?)
}
