//! Which series are meant.

use std::fmt;

use crate::promql::ast::{MatchOp, Matcher};

/// Which series are meant: a metric name and conditions on labels.
///
/// ```
/// use alfred_ops_alerts::Selector;
///
/// let idle = Selector::metric("node_cpu_seconds_total").with("mode", "idle").without("cpu", "0");
/// assert_eq!(idle.to_string(), r#"node_cpu_seconds_total{mode="idle",cpu!="0"}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    name: String,
    conditions: Vec<(String, MatchOp, String)>,
}

impl Selector {
    /// All series of the metric `name`.
    #[must_use]
    pub fn metric(name: impl Into<String>) -> Self {
        Self { name: name.into(), conditions: Vec::new() }
    }

    fn and(mut self, label: impl Into<String>, op: MatchOp, value: impl Into<String>) -> Self {
        self.conditions.push((label.into(), op, value.into()));
        self
    }

    /// Those of which `label` has this value.
    #[must_use]
    pub fn with(self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.and(label, MatchOp::Equal, value)
    }

    /// Those of which `label` has another value.
    #[must_use]
    pub fn without(self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.and(label, MatchOp::NotEqual, value)
    }

    /// Those of which `label` as a whole matches a regular expression.
    #[must_use]
    pub fn matching(self, label: impl Into<String>, pattern: impl Into<String>) -> Self {
        self.and(label, MatchOp::Regex, pattern)
    }

    /// Those of which `label` as a whole does not match a regular expression.
    #[must_use]
    pub fn not_matching(self, label: impl Into<String>, pattern: impl Into<String>) -> Self {
        self.and(label, MatchOp::NotRegex, pattern)
    }

    /// Those of which `label` has one of these values.
    #[must_use]
    pub fn one_of<V: AsRef<str>>(
        self,
        label: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let escaped: Vec<String> = values.into_iter().map(|value| regex::escape(value.as_ref())).collect();
        self.and(label, MatchOp::Regex, escaped.join("|"))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain_name = is_plain(&self.name, ":");
        let mut conditions: Vec<String> = Vec::new();
        if !plain_name {
            conditions.push(quoted(&self.name));
        }
        for (label, op, value) in &self.conditions {
            let sign = match op {
                MatchOp::Equal => "=",
                MatchOp::NotEqual => "!=",
                MatchOp::Regex => "=~",
                MatchOp::NotRegex => "!~",
            };
            conditions.push(format!("{}{sign}{}", label_name(label), quoted(value)));
        }
        f.write_str(if plain_name { &self.name } else { "" })?;
        if conditions.is_empty() { Ok(()) } else { write!(f, "{{{}}}", conditions.join(",")) }
    }
}

/// A text in quotes, as a condition prints it.
fn quoted(text: &str) -> String {
    Matcher::equal("", text).to_string().trim_start_matches('=').to_owned()
}

/// A label's name, in quotes where PromQL wants them.
pub(super) fn label_name(name: &str) -> String {
    if is_plain(name, "") { name.to_owned() } else { quoted(name) }
}

fn is_plain(name: &str, also: &str) -> bool {
    let belongs = |c: char| c.is_ascii_alphanumeric() || c == '_' || also.contains(c);
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(belongs)
}
