//! One alerting rule.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// One alerting rule: every reading of its expression is an alert.
///
/// The expression is PromQL, as text or put together by [`Expr`](crate::Expr); a [`RuleSet`](super::RuleSet) checks it. Labels
/// and annotations may be templates with `$labels` and `$value`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Rule {
    /// The alerts' `alertname`.
    pub name: String,
    /// When there is an alert, in PromQL.
    pub expr: String,
    /// How long the expression must hold before an alert fires.
    pub for_duration: Duration,
    /// How long an alert goes on firing after the expression held for the last time.
    pub keep_firing_for: Duration,
    /// Whether it is also evaluated as soon as what it looks at changes in this process, and not only at its group's times.
    pub on_change: bool,
    /// Labels added to each alert, over those of the reading: `severity` at least.
    pub labels: BTreeMap<String, String>,
    /// What a person is told.
    pub annotations: BTreeMap<String, String>,
}

impl Rule {
    /// A rule that fires as soon as `expr` holds.
    #[must_use]
    pub fn new(name: impl Into<String>, expr: impl fmt::Display) -> Self {
        Self {
            name: name.into(),
            expr: expr.to_string(),
            for_duration: Duration::ZERO,
            keep_firing_for: Duration::ZERO,
            on_change: false,
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

    /// Evaluates it also as soon as what it looks at changes, if that comes from a target in this process whose source
    /// [tells of changes](alfred_ops_core::MetricSource::changes). Needs a `for` of zero and a group without query offset.
    ///
    /// What changed is looked at at most every 20 ms. Such an evaluation only raises alerts; all else is decided at the
    /// group's times.
    #[must_use]
    pub const fn evaluated_on_change(mut self) -> Self {
        self.on_change = true;
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
