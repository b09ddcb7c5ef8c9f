//! Arguments of the type that a function wants.

use super::super::value::{Bounded, Map};
use super::super::{Span, Value, ZonedTime};
use super::Failure;

/// Takes arguments by place, counted from 0; what is of another type fails with a message that counts from 1.
pub(super) trait Arguments {
    fn text(&self, place: usize) -> Result<&str, Failure>;
    fn list(&self, place: usize) -> Result<&[Value], Failure>;
    fn time(&self, place: usize) -> Result<ZonedTime, Failure>;
    /// A number, or a text or span of time that stands for one.
    fn number(&self, place: usize) -> Result<f64, Failure>;
    /// All of them in one text, as `print` joins them.
    fn joined(&self, bytes_max: usize) -> Result<String, Failure>;
}

fn wrong(arguments: &[Value], place: usize, wanted: &str) -> Failure {
    let found = arguments.get(place).map_or_else(|| "nothing".to_owned(), Value::type_name);
    Failure::Message(format!("argument {} must be {wanted}, not {found}", place + 1))
}

impl Arguments for [Value] {
    fn text(&self, place: usize) -> Result<&str, Failure> {
        self.get(place).and_then(Value::as_text).ok_or_else(|| wrong(self, place, "a text"))
    }

    fn list(&self, place: usize) -> Result<&[Value], Failure> {
        match self.get(place).map(Value::contents) {
            Some(Value::List(list)) => Ok(list.items()),
            _ => Err(wrong(self, place, "a list")),
        }
    }

    fn time(&self, place: usize) -> Result<ZonedTime, Failure> {
        match self.get(place) {
            Some(Value::Time(time)) => Ok(*time),
            _ => Err(wrong(self, place, "a time")),
        }
    }

    fn number(&self, place: usize) -> Result<f64, Failure> {
        match self.get(place) {
            Some(Value::Float(value)) => Ok(*value),
            Some(Value::Int(value)) => Ok(float(*value)),
            Some(Value::Span(span)) => Ok(Span::seconds(*span)),
            Some(Value::Text(text)) => parse_float(text)
                .ok_or_else(|| Failure::Message(format!("argument {}: {text:?} is no number", place + 1))),
            _ => Err(wrong(self, place, "a number")),
        }
    }

    fn joined(&self, bytes_max: usize) -> Result<String, Failure> {
        let mut text = Bounded::new(bytes_max);
        let mut after_text = true;
        for (place, value) in self.iter().enumerate() {
            let is_text = value.as_text().is_some();
            // Space goes between two values of which neither is a text.
            if place > 0 && !is_text && !after_text {
                text.push(" ")?;
            }
            value.print(&mut text)?;
            after_text = is_text;
        }
        Ok(text.into_text())
    }
}

#[expect(clippy::cast_precision_loss, reason = "Go converts the same way")]
pub(super) const fn float(value: i64) -> f64 {
    value as f64
}

/// A number as Go's `strconv.ParseFloat` reads it.
fn parse_float(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    // Go takes what is too large for an error, where Rust has infinity.
    (value.is_finite() || !text.contains(|c: char| c.is_ascii_digit())).then_some(value)
}

/// The value of this name in a map, for those that take labels.
pub(super) fn label(map: &Map, name: &str) -> Value {
    map.get(name).cloned().unwrap_or_else(|| map.zero())
}
