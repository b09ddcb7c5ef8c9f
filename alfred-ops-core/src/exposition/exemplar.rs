//! An example of what was counted.

use chrono::{DateTime, Utc};

use crate::Labels;

/// An example of what a sample of a page has counted: a trace, as a rule.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Exemplar {
    /// Which of the page's samples it belongs to, counted from 0.
    pub sample: usize,
    /// What it points to, such as `trace_id`; it has no name.
    pub labels: Labels,
    /// The value that was observed.
    pub value: f64,
    /// When it was observed, if the page says so.
    pub timestamp: Option<DateTime<Utc>>,
}
