//! One alerting rule.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::expr::Expr;

/// One alerting rule: every reading of its expression is an alert.
///
/// Annotations may contain `{{ $labels.x }}`, `{{ $value }}` and `{{ $value | humanizePercentage }}`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Rule {
    /// The alerts' `alertname`, unique among rules.
    pub name: String,
    /// When there is an alert.
    pub expr: Expr,
    /// How long the expression must hold before an alert fires.
    pub for_duration: Duration,
    /// How long an alert goes on firing after the expression held for the last time.
    pub keep_firing_for: Duration,
    /// Labels added to each alert, over those of the reading: `severity` at least.
    pub labels: BTreeMap<String, String>,
    /// What a person is told.
    pub annotations: BTreeMap<String, String>,
}

impl Rule {
    /// A rule that fires as soon as `expr` holds.
    #[must_use]
    pub fn new(name: impl Into<String>, expr: Expr) -> Self {
        Self {
            name: name.into(),
            expr,
            for_duration: Duration::ZERO,
            keep_firing_for: Duration::ZERO,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }

    /// Sets how long the expression must hold before an alert fires.
    #[must_use]
    pub const fn with_for(mut self, for_duration: Duration) -> Self {
        self.for_duration = for_duration;
        self
    }

    /// Sets how long an alert goes on firing after the expression held for the last time.
    #[must_use]
    pub const fn with_keep_firing_for(mut self, keep_firing_for: Duration) -> Self {
        self.keep_firing_for = keep_firing_for;
        self
    }

    /// Adds a label to each alert.
    #[must_use]
    pub fn with_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// Adds an annotation to each alert.
    #[must_use]
    pub fn with_annotation(mut self, name: impl Into<String>, template: impl Into<String>) -> Self {
        self.annotations.insert(name.into(), template.into());
        self
    }
}
