//! Named fields.

use std::fmt;
use std::sync::Arc;

use super::{Answer, Record, Value};

/// A record of named fields, as a struct of Go: prints as its values in braces.
///
/// ```
/// use alfred_ops_alerts::template::{Structure, Value};
///
/// let alert = Structure::new("Alert").with("Status", "firing").with("Count", 3_i64);
/// assert_eq!(Value::from(alert).to_string(), "{firing 3}");
/// ```
#[derive(Debug, Clone)]
pub struct Structure {
    name: &'static str,
    fields: Vec<(&'static str, Value)>,
}

impl Structure {
    /// A structure of this type without fields.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, fields: Vec::new() }
    }

    /// Adds a field; of two with one name the first counts.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
}

impl From<Structure> for Value {
    fn from(structure: Structure) -> Self {
        Self::Record(Arc::new(structure))
    }
}

impl Record for Structure {
    fn type_name(&self) -> &str {
        self.name
    }

    fn ask(&self, name: &str, arguments: &[Value]) -> Answer {
        match self.fields.iter().find(|(field, _)| *field == name) {
            None => Answer::Unknown,
            Some(_) if !arguments.is_empty() => {
                Answer::Failed(format!("{name} is a field, not a method, and takes no arguments"))
            }
            Some((_, value)) => Answer::Value(value.clone()),
        }
    }

    fn contents(&self) -> Option<&Value> {
        None
    }

    fn print(&self, to: &mut dyn fmt::Write) -> fmt::Result {
        to.write_str("{")?;
        for (place, (_, value)) in self.fields.iter().enumerate() {
            to.write_str(if place == 0 { "" } else { " " })?;
            write!(to, "{value}")?;
        }
        to.write_str("}")
    }
}
