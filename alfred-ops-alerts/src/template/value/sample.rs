//! What a query answers with.

use std::fmt;

use alfred_ops_core::Sample;

use super::{Answer, Record, Value};

/// A sample of a query's answer, with the fields `Labels` and `Value`.
#[derive(Debug)]
pub(in crate::template) struct QuerySample {
    labels: Value,
    value: f64,
}

impl QuerySample {
    pub(in crate::template) fn new(sample: &Sample) -> Self {
        Self { labels: Value::from(&sample.labels), value: sample.value }
    }
}

impl Record for QuerySample {
    fn type_name(&self) -> &str {
        "template.sample"
    }

    fn ask(&self, name: &str, arguments: &[Value]) -> Answer {
        match name {
            "Labels" | "Value" if !arguments.is_empty() => {
                Answer::Failed(format!("{name} is a field, not a method, and takes no arguments"))
            }
            "Labels" => Answer::Value(self.labels.clone()),
            "Value" => Answer::Value(Value::Float(self.value)),
            _ => Answer::Unknown,
        }
    }

    fn contents(&self) -> Option<&Value> {
        None
    }

    fn print(&self, to: &mut dyn fmt::Write) -> fmt::Result {
        write!(to, "{{{} {}}}", self.labels, Value::Float(self.value))
    }
}
