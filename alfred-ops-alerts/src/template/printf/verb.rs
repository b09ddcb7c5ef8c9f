//! Values by verb.

use super::super::Value;
use super::super::value::{Bounded, Overflow};
use super::directive::Directive;
use super::quote::{can_be_raw, quote};

impl Directive {
    /// Writes a value as the verb asks for, or tells in the text that the two do not go together.
    pub(super) fn print(&self, value: &Value, verb: char, to: &mut Bounded) -> Result<(), Overflow> {
        if verb == 'T' && !matches!(value, Value::Nil) {
            return self.text(&value.type_name(), 's', to).unwrap_or(Ok(()));
        }
        let written = match value {
            Value::Nil if matches!(verb, 'v' | 'T') => Some(self.pad("<nil>", self.zero, to)),
            Value::Nil => None,
            Value::Bool(value) if matches!(verb, 't' | 'v') => {
                Some(self.pad(if *value { "true" } else { "false" }, self.zero, to))
            }
            Value::Bool(_) => None,
            Value::Int(value) => self.integer(*value, verb, to),
            Value::Float(value) => self.float(*value, verb, to),
            Value::Text(text) => self.text(text, verb, to),
            Value::List(list) => {
                let items = list.items().iter().map(|item| (None, item));
                return self.items(value, "[", items, "]", verb, to);
            }
            Value::Map(map) => {
                let items = map.iter().map(|(name, item)| (Some(name), item));
                return self.items(value, "map[", items, "]", verb, to);
            }
            Value::Time(time) => self.text(&time.to_string(), verb, to),
            Value::Span(span) => match verb {
                'v' | 's' | 'q' | 'x' | 'X' if !self.source => self.text(&span.to_string(), verb, to),
                _ => self.integer(span.nanos(), verb, to),
            },
            Value::Record(record) => {
                let mut text = Bounded::new(to.bytes_left());
                record.print(&mut text)?;
                self.text(&text.into_text(), verb, to)
            }
        };
        written.unwrap_or_else(|| self.bad_verb(value, verb, to))
    }

    /// Writes values one by one, between brackets or as Go's source has them.
    fn items<'v>(
        &self,
        of: &Value,
        open: &str,
        items: impl Iterator<Item = (Option<&'v str>, &'v Value)>,
        close: &str,
        verb: char,
        to: &mut Bounded,
    ) -> Result<(), Overflow> {
        let source = self.source && verb == 'v';
        let (separator, close) = if source { (", ", "}") } else { (" ", close) };
        if source {
            to.push(&of.type_name())?;
        }
        to.push(if source { "{" } else { open })?;
        for (place, (name, item)) in items.enumerate() {
            to.push(if place == 0 { "" } else { separator })?;
            if let Some(name) = name {
                self.print(&Value::from(name), verb, to)?;
                to.push(":")?;
            }
            self.print(item, verb, to)?;
        }
        to.push(close)
    }

    fn text(&self, text: &str, verb: char, to: &mut Bounded) -> Option<Result<(), Overflow>> {
        let end = self.precision.and_then(|precision| text.char_indices().nth(precision));
        let shown = end.map_or(text, |(end, _)| &text[..end]);
        let zero = self.zero && !self.minus;
        Some(match verb {
            'v' if self.source => self.pad(&quote(shown, false), false, to),
            'v' | 's' => self.pad(shown, zero, to),
            'q' if self.sharp && can_be_raw(shown) => self.pad(&format!("`{shown}`"), zero, to),
            'q' => self.pad(&quote(shown, self.plus), zero, to),
            'x' | 'X' => self.pad(&self.hexadecimal(text, verb), zero, to),
            _ => return None,
        })
    }

    /// The bytes of a text, as many as the precision says.
    fn hexadecimal(&self, text: &str, verb: char) -> String {
        let mut shown = String::new();
        for (place, byte) in text.bytes().take(self.precision.unwrap_or(usize::MAX)).enumerate() {
            if self.space && place > 0 {
                shown.push(' ');
            }
            if self.sharp && (self.space || place == 0) {
                shown.extend(['0', verb]);
            }
            shown.push_str(&if verb == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") });
        }
        shown
    }

    /// Tells that the value has no such verb; width and precision hold for it all the same.
    fn bad_verb(&self, value: &Value, verb: char, to: &mut Bounded) -> Result<(), Overflow> {
        to.push("%!")?;
        to.push_char(verb)?;
        to.push("(")?;
        match value {
            Value::Nil => to.push("<nil>")?,
            Value::Time(_) | Value::Record(_) => {
                to.push(&value.type_name())?;
                to.push("=")?;
                value.print(to)?;
            }
            _ => {
                to.push(&value.type_name())?;
                to.push("=")?;
                let plain = match value {
                    Value::Span(span) => Value::Int(span.nanos()),
                    _ => value.clone(),
                };
                self.print(&plain, 'v', to)?;
            }
        }
        to.push(")")
    }
}
