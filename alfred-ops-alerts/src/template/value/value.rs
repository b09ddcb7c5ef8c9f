//! One value of a template.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use alfred_ops_core::Labels;

use super::super::printf::format_general;
use super::{Bounded, List, Map, Overflow, Record, Span, ZonedTime};

/// One value of a template: what a host hands in, and what functions return.
///
/// Text is UTF-8, where Go's may be any bytes; what would break a character becomes U+FFFD. A clone costs one
/// reference count at most.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Value {
    /// Nothing: Go's untyped nil. At the end of a pipeline it prints as `<no value>`.
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text.
    Text(Arc<str>),
    /// Values in order.
    List(List),
    /// Values by name.
    Map(Map),
    /// A moment.
    Time(ZonedTime),
    /// A span of time.
    Span(Span),
    /// Something of the host with fields and methods.
    Record(Arc<dyn Record>),
}

impl Value {
    /// Whether `if` takes it for true: not nil, not false, not zero, not empty.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Span(span) => span.nanos() != 0,
            Self::Time(_) => true,
            Self::Record(record) => record.contents().is_none_or(Self::is_true),
        }
    }

    /// The name of the type as Go has it.
    #[must_use]
    pub fn type_name(&self) -> String {
        let name = match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(list) if list.is_text() => "[]string",
            Self::List(_) => "[]interface {}",
            Self::Map(map) if map.is_text() => "map[string]string",
            Self::Map(_) => "map[string]interface {}",
            Self::Time(_) => "time.Time",
            Self::Span(_) => "time.Duration",
            Self::Record(record) => return record.type_name().to_owned(),
        };
        name.to_owned()
    }

    /// The list or map that a record is besides; every other value itself.
    pub(in crate::template) fn contents(&self) -> &Self {
        match self {
            Self::Record(record) => record.contents().unwrap_or(self),
            _ => self,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// How many values lie within this one, at the most.
    pub(in crate::template) fn depth(&self) -> usize {
        match self {
            Self::List(list) => list.depth(),
            Self::Map(map) => map.depth(),
            _ => 0,
        }
    }

    /// Writes it as Go's `%v` does.
    pub(in crate::template) fn print(&self, to: &mut Bounded) -> Result<(), Overflow> {
        match self {
            Self::Nil => to.push("<nil>"),
            Self::Bool(value) => to.push(if *value { "true" } else { "false" }),
            Self::Int(value) => to.push(&value.to_string()),
            Self::Float(value) => to.push(&format_general(*value, None)),
            Self::Text(text) => to.push(text),
            Self::List(list) => print_items(list.items(), to),
            Self::Map(map) => {
                to.push("map[")?;
                for (place, (name, value)) in map.iter().enumerate() {
                    to.push(if place == 0 { "" } else { " " })?;
                    to.push(name)?;
                    to.push(":")?;
                    value.print(to)?;
                }
                to.push("]")
            }
            Self::Time(time) => to.push(&time.to_string()),
            Self::Span(span) => to.push(&span.to_string()),
            Self::Record(record) => record.print(&mut Writer(to)).map_err(Overflow::from),
        }
    }
}

/// Writes values in brackets.
pub(super) fn print_items(items: &[Value], to: &mut Bounded) -> Result<(), Overflow> {
    to.push("[")?;
    for (place, item) in items.iter().enumerate() {
        to.push(if place == 0 { "" } else { " " })?;
        item.print(to)?;
    }
    to.push("]")
}

/// Keeps a record from seeing the bound.
struct Writer<'b>(&'b mut Bounded);

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_str(text)
    }
}

/// As `%v` prints it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Bounded::new(usize::MAX);
        self.print(&mut text).map_err(|Overflow| fmt::Error)?;
        f.write_str(&text.into_text())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Arc::from(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Arc::from(text))
    }
}

impl From<DateTime<Utc>> for Value {
    fn from(time: DateTime<Utc>) -> Self {
        Self::Time(ZonedTime::from(time))
    }
}

impl From<&Labels> for Value {
    fn from(labels: &Labels) -> Self {
        Self::Map(Map::text(labels.iter()))
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::List(List::new(items))
    }
}

impl<R: Record> From<Arc<R>> for Value {
    fn from(record: Arc<R>) -> Self {
        Self::Record(record)
    }
}
