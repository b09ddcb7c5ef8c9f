//! Fields and methods.

use std::sync::Arc;

use crate::promql::Position;

use super::super::{Answer, MissingKey, Span, TemplateError, Value};
use super::renderer::Renderer;

impl Renderer<'_> {
    /// The field of a field and so on; the last one gets the arguments.
    pub(super) fn fields(
        &mut self,
        of: Value,
        fields: &[Arc<str>],
        arguments: &[Value],
        at: Position,
    ) -> Result<Value, TemplateError> {
        let mut value = of;
        for (place, name) in fields.iter().enumerate() {
            self.step(1, at)?;
            let arguments = if place + 1 == fields.len() { arguments } else { &[] };
            value = self.field(&value, name, arguments, at)?;
        }
        Ok(value)
    }

    fn field(
        &self,
        of: &Value,
        name: &str,
        arguments: &[Value],
        at: Position,
    ) -> Result<Value, TemplateError> {
        let answer = match of {
            Value::Map(_) if !arguments.is_empty() => {
                Answer::Failed(format!("{name} is no method and takes no arguments"))
            }
            Value::Map(map) => match (map.get(name), self.template.missing_key) {
                (Some(value), _) => Answer::Value(value.clone()),
                (None, MissingKey::Zero) => Answer::Value(map.zero()),
                (None, MissingKey::NoValue) => Answer::Value(Value::Nil),
                (None, MissingKey::Error) => Answer::Failed(format!("the map has no entry {name:?}")),
            },
            Value::Record(record) => record.ask(name, arguments),
            Value::Time(time) => time.ask(name, arguments),
            Value::Span(span) => ask_span(*span, name, arguments),
            Value::Nil => Answer::Failed(format!("nil has no field {name}")),
            _ => Answer::Unknown,
        };
        match answer {
            Answer::Value(value) => Ok(value),
            Answer::Failed(message) => Err(TemplateError::execution(message, at)),
            Answer::Unknown => {
                Err(TemplateError::execution(format!("{} has no field or method {name}", of.type_name()), at))
            }
        }
    }
}

/// What a method of Go's `time.Duration` returns.
fn ask_span(span: Span, name: &str, arguments: &[Value]) -> Answer {
    let unit = match arguments {
        [] => None,
        [Value::Span(unit)] => Some(*unit),
        [Value::Int(nanos)] => Some(Span::from_nanos(*nanos)),
        _ => return Answer::Failed(format!("{name} takes a duration")),
    };
    Answer::Value(match (name, unit) {
        ("Round", Some(unit)) => Value::Span(span.to_multiple(unit, true)),
        ("Truncate", Some(unit)) => Value::Span(span.to_multiple(unit, false)),
        ("Hours", None) => Value::Float(span.in_units(3_600_000_000_000)),
        ("Minutes", None) => Value::Float(span.in_units(60_000_000_000)),
        ("Seconds", None) => Value::Float(span.seconds()),
        ("Milliseconds", None) => Value::Int(span.nanos() / 1_000_000),
        ("Microseconds", None) => Value::Int(span.nanos() / 1_000),
        ("Nanoseconds", None) => Value::Int(span.nanos()),
        ("Abs", None) => Value::Span(Span::from_nanos(span.nanos().saturating_abs())),
        ("String", None) => Value::from(span.to_string()),
        ("Round" | "Truncate", None) => return Answer::Failed(format!("{name} takes a duration")),
        _ => return Answer::Unknown,
    })
}
