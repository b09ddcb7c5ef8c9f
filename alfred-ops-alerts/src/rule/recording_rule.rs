//! One recording rule.

use std::collections::BTreeMap;
use std::fmt;

/// One recording rule: the samples of its expression become a metric of their own.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RecordingRule {
    /// The metric's name.
    pub name: String,
    /// What is recorded, in PromQL.
    pub expr: String,
    /// Labels set on each sample.
    pub labels: BTreeMap<String, String>,
}

impl RecordingRule {
    /// A rule that records `expr` as `name`.
    #[must_use]
    pub fn new(name: impl Into<String>, expr: impl fmt::Display) -> Self {
        Self { name: name.into(), expr: expr.to_string(), labels: BTreeMap::new() }
    }

    /// Sets a label on each sample.
    #[must_use]
    pub fn with_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }
}
