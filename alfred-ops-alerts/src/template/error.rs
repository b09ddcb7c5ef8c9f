//! Why a template cannot be read or rendered.

use std::borrow::Cow;
use std::fmt;

use alfred_ops_core::{Classify, Error, ErrorKind};

use crate::promql::Position;

/// Why a template cannot be read or rendered, where in its text, and how to write it instead.
///
/// The text holds names and types of what the template refers to, never the data it was rendered over, except
/// what a query or a host's record says about its own failure.
#[derive(Clone, PartialEq, Eq)]
pub struct TemplateError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    message: String,
    position: Option<Position>,
    hint: Option<String>,
}

impl TemplateError {
    fn new(kind: ErrorKind, operation: &'static str, message: String, position: Position) -> Self {
        Self(Box::new(Inner { kind, operation, message, position: Some(position), hint: None }))
    }

    /// The text is no template.
    pub(super) fn syntax(message: impl Into<String>, position: Position) -> Self {
        Self::new(ErrorKind::InvalidInput, "parse template", message.into(), position)
    }

    /// What the template asks for cannot be done with the data at hand.
    pub(super) fn execution(message: impl Into<String>, position: Position) -> Self {
        Self::new(ErrorKind::InvalidInput, "render template", message.into(), position)
    }

    /// Rendering took or made too much.
    pub(super) fn limit(message: impl Into<String>, position: Position) -> Self {
        Self::new(ErrorKind::ResourceExhausted, "render template", message.into(), position)
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// What a caller can do about it: `InvalidInput` is the template's fault or its data's, `ResourceExhausted`
    /// means that a limit was reached.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is wrong, without place and hint.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where in the text it is wrong. Of a template that was defined in another text, the place is in that text.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.0.position
    }

    /// How to write it instead, if that can be told.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.0.position {
            write!(f, "{position}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for TemplateError {}

impl Classify for TemplateError {
    fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    fn remedy(&self) -> Option<Cow<'static, str>> {
        self.0.hint.clone().map(Cow::Owned)
    }
}

impl From<TemplateError> for Error {
    fn from(error: TemplateError) -> Self {
        Self::caused_by(error.0.operation, error)
    }
}
