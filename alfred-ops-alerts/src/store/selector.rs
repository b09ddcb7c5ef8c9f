//! Which series are meant.

use alfred_ops_core::Labels;

use super::Matcher;

/// Which series are meant: a metric name and conditions on labels.
///
/// ```
/// use alfred_ops_alerts::Selector;
/// use alfred_ops_core::Labels;
///
/// let idle = Selector::metric("node_cpu_seconds_total").with("mode", "idle");
/// assert!(idle.matches(&Labels::metric("node_cpu_seconds_total").with("mode", "idle").with("cpu", "0")));
/// assert!(!idle.matches(&Labels::metric("node_cpu_seconds_total").with("mode", "user")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    name: String,
    matchers: Vec<Matcher>,
}

impl Selector {
    /// All series of the metric `name`.
    #[must_use]
    pub fn metric(name: impl Into<String>) -> Self {
        Self { name: name.into(), matchers: Vec::new() }
    }

    /// Only those whose label `name` is `value`.
    #[must_use]
    pub fn with(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.matching(Matcher::Equal { name: name.into(), value: value.into() })
    }

    /// Only those whose label `name` is not `value`.
    #[must_use]
    pub fn without(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.matching(Matcher::NotEqual { name: name.into(), value: value.into() })
    }

    /// Only those whose label `name` is one of `values`.
    #[must_use]
    pub fn one_of<V: Into<String>>(
        self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.matching(Matcher::OneOf { name: name.into(), values })
    }

    /// Only those that meet `matcher`.
    #[must_use]
    pub fn matching(mut self, matcher: Matcher) -> Self {
        self.matchers.push(matcher);
        self
    }

    /// The metric's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The conditions on labels.
    #[must_use]
    pub fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }

    /// Whether a series with these labels is meant.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        labels.name() == Some(&*self.name) && self.matchers.iter().all(|matcher| matcher.matches(labels))
    }
}
