//! What is wrong with a page.

use std::borrow::Cow;

use crate::{Classify, ErrorKind};

/// How much of a bad line an error shows: enough to find it in the page.
const BEGINNING_CHARS: usize = 80;

/// What is wrong with a page, and where.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}, in `{beginning}`")]
pub(super) struct Malformed {
    line: usize,
    problem: Problem,
    beginning: String,
}

impl Malformed {
    pub(super) fn new(line: usize, problem: Problem, text: &str) -> Self {
        // Control characters would garble a log line.
        let mut beginning: String =
            text.chars().take(BEGINNING_CHARS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        if text.chars().nth(BEGINNING_CHARS).is_some() {
            beginning.push('…');
        }
        Self { line, problem, beginning }
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
            _ => "correct the exporter that writes this page".into(),
        })
    }
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
    #[error("{text:?} is not a decimal number, NaN or an infinity")]
    Value { text: String },
    #[error("{text:?} is not a timestamp in whole milliseconds")]
    Timestamp { text: String },
    #[error("the sample has no metric name")]
    Nameless,
    #[error("the sample has a second metric name {name:?}")]
    SecondName { name: String },
    #[error("the label {label:?} occurs twice")]
    LabelTwice { label: String },
    #[error("the label __name__ is reserved for the metric's name")]
    ReservedLabel,
    #[error("{word:?} is not a metric type (counter, gauge, histogram, summary, untyped)")]
    Kind { word: String },
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
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TooMany { .. } | Self::TooLong { .. } => ErrorKind::ResourceExhausted,
            _ => ErrorKind::InvalidInput,
        }
    }
}
