//! The text of a label or an annotation.

use std::sync::Arc;

use alfred_ops_core::Labels;

use crate::promql::SampleValue;
use crate::template::{self, Environment, TemplateError};

/// The text of a label or an annotation, with places for an alert's labels and value.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    text: String,
    compiled: template::Template,
}

impl Template {
    /// Reads a template.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        Ok(Self { text: text.to_owned(), compiled: template::Template::parse(text)? })
    }

    /// Whether it can ask for a query.
    pub(crate) fn may_ask(&self) -> bool {
        self.text.contains("query")
    }

    /// The texts in quotes within its actions.
    pub(super) fn literals(&self) -> Vec<Arc<str>> {
        self.compiled.literals()
    }

    /// Fills in an alert's labels and value. As in Prometheus, what fails is told in place of the text: an alert with a
    /// broken annotation is better than none.
    pub(crate) fn render(
        &self,
        labels: &Labels,
        value: &SampleValue,
        environment: &Environment<'_>,
    ) -> String {
        let rendered = match value {
            SampleValue::Float(value) => self.compiled.expand(labels, *value, environment),
            SampleValue::Histogram(histogram) => {
                self.compiled.expand(labels, histogram.to_string(), environment)
            }
        };
        rendered.unwrap_or_else(|error| format!("<error expanding template: {error}>"))
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
