//! What is wrong with a page.

use std::borrow::Cow;

use super::Format;
use crate::{Classify, Error, ErrorKind};

/// The operation that errors about pages name.
pub(super) const OPERATION: &str = "parse metrics page";

/// How much of a bad line or word an error shows: enough to find it in the page.
const EXCERPT_CHARS: usize = 80;

/// What is wrong with a page, and where.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}, in `{beginning}`")]
pub(super) struct Malformed {
    line: usize,
    problem: Problem,
    beginning: String,
}

impl Malformed {
    /// The error for what stands at the byte `at` of `page`.
    pub(super) fn error(page: &str, at: usize, problem: Problem) -> Error {
        let (before, after) = page.split_at_checked(at).unwrap_or((page, ""));
        let line = memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1;
        let text = after.split('\n').next().unwrap_or_default();
        // Lines that end as in Windows explain whatever else is odd about their last word.
        let problem = match problem.kind() {
            ErrorKind::InvalidInput if text.ends_with('\r') => Problem::CarriageReturn,
            _ => problem,
        };
        Error::caused_by(OPERATION, Self { line, problem, beginning: excerpt(text) })
    }
}

impl Classify for Malformed {
    fn kind(&self) -> ErrorKind {
        self.problem.kind()
    }

    fn remedy(&self) -> Option<Cow<'static, str>> {
        Some(match &self.problem {
            Problem::TooMany { limit, .. } | Problem::TooLong { limit, .. } => {
                format!("make the page smaller or raise Limits::{limit}").into()
            }
            Problem::NoEof => {
                "look whether the page was cut off or is in another format than it claims".into()
            }
            _ => "correct the exporter that writes this page".into(),
        })
    }
}

/// The beginning of a text without control characters, which would garble a log line.
pub(super) fn excerpt(text: &str) -> String {
    let mut beginning: String =
        text.chars().take(EXCERPT_CHARS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(EXCERPT_CHARS).is_some() {
        beginning.push('…');
    }
    beginning
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("expected {expected}, found {found}")]
    Expected { expected: &'static str, found: String },
    #[error("the value of label {label:?} has no closing quote")]
    Unclosed { label: String },
    #[error("a quoted name has no closing quote")]
    UnclosedName,
    #[error("a quoted name holds a zero byte")]
    ZeroByte,
    #[error("{text:?} is not a decimal number, NaN or an infinity")]
    Value { text: String },
    #[error("{text:?} is not a timestamp in {unit}")]
    Timestamp { text: String, unit: &'static str },
    #[error("the sample has no metric name")]
    Nameless,
    #[error("the sample has a second metric name {name:?}")]
    SecondName { name: String },
    #[error("a label has an empty name")]
    EmptyLabel,
    #[error("the label {label:?} occurs twice")]
    LabelTwice { label: String },
    #[error("the label __name__ is reserved for the metric's name")]
    ReservedLabel,
    #[error("{word:?} is not a metric type ({known})")]
    Kind { word: String, known: &'static str },
    #[error("the unit {unit:?} is not the last part of the name {name:?}")]
    Unit { unit: String, name: String },
    #[error("the page does not end with `# EOF`")]
    NoEof,
    #[error("something follows `# EOF`")]
    AfterEof,
    #[error("the line ends with a carriage return")]
    CarriageReturn,
    #[error("the text is not UTF-8")]
    NotUtf8,
    #[error("more than {max} {what}")]
    TooMany { what: &'static str, max: usize, limit: &'static str },
    #[error("{what} longer than {max} bytes")]
    TooLong { what: &'static str, max: usize, limit: &'static str },
}

impl Problem {
    pub(super) fn value(text: &str) -> Self {
        Self::Value { text: excerpt(text) }
    }

    pub(super) fn timestamp(text: &str, format: Format) -> Self {
        let unit = match format {
            Format::Text => "whole milliseconds",
            Format::OpenMetrics => "seconds",
        };
        Self::Timestamp { text: excerpt(text), unit }
    }

    pub(super) const fn kind(&self) -> ErrorKind {
        match self {
            Self::TooMany { .. } | Self::TooLong { .. } => ErrorKind::ResourceExhausted,
            _ => ErrorKind::InvalidInput,
        }
    }
}
