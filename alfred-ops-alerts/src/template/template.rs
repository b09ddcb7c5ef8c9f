//! A text that was read.

use std::collections::BTreeMap;
use std::sync::Arc;

use alfred_ops_core::Labels;

use super::parse::Body;
use super::render;
use super::{Dialect, Environment, MissingKey, RenderLimits, Structure, TemplateError, TemplateSet, Value};

/// A text with actions in double braces that was read once and can be rendered many times, from many threads.
///
/// A clone costs a reference count for each template in it.
#[derive(Debug, Clone)]
pub struct Template {
    pub(super) dialect: Dialect,
    pub(super) missing_key: MissingKey,
    pub(super) limits: RenderLimits,
    pub(super) body: Body,
    pub(super) defined: BTreeMap<Arc<str>, Body>,
}

impl Template {
    /// Reads an annotation or label of a rule. For other texts, and for templates that are shared, see
    /// [`TemplateSet`].
    ///
    /// # Errors
    ///
    /// If the text is no template: an action that is not closed, a function or variable that is not there. The
    /// error says where, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        TemplateSet::new(Dialect::Rule).parse(text)
    }

    /// Renders an annotation or label for an alert with these labels and this value.
    ///
    /// The text sees them as `$labels` or `.Labels` and `$value` or `.Value`, and the environment's as
    /// `$externalLabels` or `.ExternalLabels` and `$externalURL` or `.ExternalURL`.
    ///
    /// # Errors
    ///
    /// If what the text asks for cannot be done with this data, a query fails, or a limit is reached. There is no
    /// partial text. Prometheus sends `<error expanding template: …>` in its place; that is for the caller to choose.
    pub fn expand(
        &self,
        labels: &Labels,
        value: impl Into<Value>,
        environment: &Environment<'_>,
    ) -> Result<String, TemplateError> {
        let data = Structure::new("template.AlertData")
            .with("Labels", labels)
            .with("ExternalLabels", environment.external_labels())
            .with("ExternalURL", environment.external_url())
            .with("Value", value);
        self.render(&data.into(), environment)
    }

    /// Renders the text over any data. In a rule's text the variables `$labels`, `$value`, `$externalLabels` and
    /// `$externalURL` are the fields `Labels` and so on of the data, nil where it has none.
    ///
    /// # Errors
    ///
    /// As [`Self::expand`].
    pub fn render(&self, data: &Value, environment: &Environment<'_>) -> Result<String, TemplateError> {
        render::render(self, data, environment)
    }
}
