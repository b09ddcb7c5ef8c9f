//! Why a query cannot be read or answered.

use std::borrow::Cow;
use std::fmt;

use alfred_ops_core::{Classify, Error, ErrorKind};

use super::Position;

/// Why a query cannot be read or answered; the message is the one of Prometheus where it has one.
#[derive(Clone, PartialEq, Eq)]
pub struct QueryError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    message: String,
    position: Option<Position>,
    hint: Option<String>,
}

impl QueryError {
    fn new(kind: ErrorKind, operation: &'static str, message: String) -> Self {
        Self(Box::new(Inner { kind, operation, message, position: None, hint: None }))
    }

    /// The text is no query.
    pub(crate) fn syntax(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, "parse query", message.into())
    }

    /// The query has no answer.
    pub(crate) fn evaluation(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, "evaluate query", message.into())
    }

    /// Whoever was asked instead has no answer.
    pub(crate) fn elsewhere(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::new(kind, "evaluate query", message.into())
    }

    /// The answer would be too large.
    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::ResourceExhausted, "evaluate query", message.into())
    }

    pub(crate) fn at(mut self, position: Position) -> Self {
        self.0.position.get_or_insert(position);
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is wrong, without place and hint.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where in the query it is wrong, if that is known.
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

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.0.position {
            write!(f, "{position}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for QueryError {}

impl Classify for QueryError {
    fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    fn remedy(&self) -> Option<Cow<'static, str>> {
        self.0.hint.clone().map(Cow::Owned)
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        Self::caused_by(error.0.operation, error)
    }
}
