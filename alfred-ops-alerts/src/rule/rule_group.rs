//! Rules that are evaluated together.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{RecordingRule, Rule};

/// Rules that are evaluated one after the other, at one time: later ones see what earlier ones have recorded.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct RuleGroup {
    /// What the group is called.
    pub name: String,
    /// The file that it comes from; empty if from none. Groups of different files may have the same name.
    pub file: String,
    /// How often it is evaluated; as often as the engine evaluates if not given.
    pub interval: Option<Duration>,
    /// How many alerts or series one rule may have; zero for any number.
    pub limit: usize,
    /// How far back the rules look at everything, for samples that come late.
    pub query_offset: Duration,
    /// The name of the [`QuerySource`](crate::QuerySource) that the rules' queries are asked of; the engine's own store if
    /// not given.
    pub source: Option<String>,
    /// Labels for all rules that do not set them themselves.
    pub labels: BTreeMap<String, String>,
    /// The rules in the order in which they are evaluated.
    pub rules: Vec<GroupRule>,
}

/// A rule of either kind.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupRule {
    /// It raises alerts.
    Alert(Rule),
    /// It records a metric.
    Record(RecordingRule),
}

impl RuleGroup {
    /// A group without rules.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds rules behind the others.
    #[must_use]
    pub fn with_rules<R: Into<GroupRule>>(mut self, rules: impl IntoIterator<Item = R>) -> Self {
        self.rules.extend(rules.into_iter().map(Into::into));
        self
    }

    /// Sets how often the group is evaluated.
    #[must_use]
    pub const fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Sets how many alerts or series one rule may have.
    #[must_use]
    pub const fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Sets how far back the rules look at everything.
    #[must_use]
    pub const fn with_query_offset(mut self, query_offset: Duration) -> Self {
        self.query_offset = query_offset;
        self
    }

    /// Sets whom the rules' queries are asked of, by its name: one of the engine's
    /// [sources](crate::AlertEngineBuilder::query_source).
    #[must_use]
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Sets a label for all rules that do not set it themselves.
    #[must_use]
    pub fn with_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }
}

impl GroupRule {
    /// The alert's or the metric's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Alert(rule) => &rule.name,
            Self::Record(rule) => &rule.name,
        }
    }

    /// The expression.
    #[must_use]
    pub fn expr(&self) -> &str {
        match self {
            Self::Alert(rule) => &rule.expr,
            Self::Record(rule) => &rule.expr,
        }
    }

    /// The labels that it sets.
    #[must_use]
    pub const fn labels(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Alert(rule) => &rule.labels,
            Self::Record(rule) => &rule.labels,
        }
    }
}

impl From<Rule> for GroupRule {
    fn from(rule: Rule) -> Self {
        Self::Alert(rule)
    }
}

impl From<RecordingRule> for GroupRule {
    fn from(rule: RecordingRule) -> Self {
        Self::Record(rule)
    }
}
