//! A condition on one label.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use alfred_ops_core::Labels;

use crate::promql::QueryError;
use crate::promql::syntax::quote;
use crate::relabel::AnchoredRegex;

/// How a label's value is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

/// A condition on one label. A missing label counts as an empty value.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: Arc<str>,
    op: MatchOp,
    value: Arc<str>,
    pattern: Option<Pattern>,
}

/// A regular expression, or the plain values it stands for.
#[derive(Debug, Clone)]
enum Pattern {
    OneOf(Arc<[String]>),
    NotEmpty,
    Anything,
    Regex(AnchoredRegex),
}

impl Matcher {
    /// A condition. A regular expression is anchored on both sides, and `.` matches a line break.
    ///
    /// # Errors
    /// If `value` is no regular expression and should be one.
    pub fn new(name: &str, op: MatchOp, value: &str) -> Result<Self, QueryError> {
        let pattern = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(Pattern::new(value)?),
        };
        Ok(Self { name: Arc::from(name), op, value: Arc::from(value), pattern })
    }

    /// The condition that `name` has the value `value`.
    #[must_use]
    pub fn equal(name: &str, value: &str) -> Self {
        Self { name: Arc::from(name), op: MatchOp::Equal, value: Arc::from(value), pattern: None }
    }

    /// The label.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is judged.
    #[must_use]
    pub const fn op(&self) -> MatchOp {
        self.op
    }

    /// With what it is compared.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The value that the label `name` must have by this condition.
    #[must_use]
    pub fn equal_to(&self, name: &str) -> Option<&str> {
        (self.op == MatchOp::Equal && &*self.name == name).then_some(&*self.value)
    }

    /// The values that the label can have, if they can be listed.
    #[must_use]
    pub fn possible_values(&self) -> Option<Vec<&str>> {
        match (self.op, &self.pattern) {
            (MatchOp::Equal, _) => Some(vec![&self.value]),
            (MatchOp::Regex, Some(Pattern::OneOf(values))) => {
                Some(values.iter().map(String::as_str).collect())
            }
            _ => None,
        }
    }

    /// Whether a label of this value meets the condition.
    #[must_use]
    pub fn matches_value(&self, value: &str) -> bool {
        let found = match &self.pattern {
            None => *self.value == *value,
            Some(Pattern::OneOf(values)) => values.iter().any(|candidate| candidate == value),
            Some(Pattern::NotEmpty) => !value.is_empty(),
            Some(Pattern::Anything) => true,
            Some(Pattern::Regex(regex)) => regex.is_match(value),
        };
        found != matches!(self.op, MatchOp::NotEqual | MatchOp::NotRegex)
    }

    /// Whether `labels` meet the condition.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matches_value(labels.get(&self.name).unwrap_or_default())
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Self, QueryError> {
        const META: [char; 14] = ['\\', '.', '+', '*', '?', '(', ')', '[', ']', '{', '}', '^', '$', '|'];
        match text {
            ".*" => return Ok(Self::Anything),
            ".+" => return Ok(Self::NotEmpty),
            _ => {}
        }
        if text.split('|').all(|part| !part.contains(META)) {
            return Ok(Self::OneOf(text.split('|').map(str::to_owned).collect()));
        }
        AnchoredRegex::new(text).map(Self::Regex).map_err(|reason| {
            QueryError::syntax(format!("{} is not a regular expression: {reason}", quote(text.as_bytes())))
        })
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl Hash for Matcher {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.name, self.op, &self.value).hash(state);
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.op {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        };
        write!(f, "{}{sign}{}", self.name, quote(self.value.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(op: MatchOp, pattern: &str, yes: &[&str], no: &[&str]) {
        let matcher = Matcher::new("a", op, pattern).unwrap();
        for value in yes {
            assert!(matcher.matches_value(value), "{matcher} {value}");
        }
        for value in no {
            assert!(!matcher.matches_value(value), "{matcher} {value}");
        }
    }

    #[test]
    fn regular_expressions_are_anchored() {
        check(MatchOp::Regex, "a.c", &["abc", "a\nc"], &["xabc", "abcx", ""]);
        check(MatchOp::Regex, "a|bc", &["a", "bc"], &["ab", "b", ""]);
        check(MatchOp::Regex, "a|", &["a", ""], &["b"]);
        check(MatchOp::NotRegex, "5..", &["200", ""], &["500"]);
        check(MatchOp::Regex, ".+", &["a"], &[""]);
        check(MatchOp::NotEqual, "", &["a"], &[""]);
        assert!(Matcher::new("a", MatchOp::Regex, "(").unwrap_err().message().contains("regular expression"));
    }
}
