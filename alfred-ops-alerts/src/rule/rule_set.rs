//! Rules that have been checked.

use std::collections::BTreeSet;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};

use super::{Rule, Template};

/// The label that holds an alert's rule.
pub(crate) const ALERT_NAME: &str = "alertname";

/// Rules that have been checked: unique names, templates that parse, windows that make sense.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleSet {
    rules: Vec<CheckedRule>,
    window_max: Duration,
}

/// A rule and its parsed annotations.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckedRule {
    pub(crate) rule: Rule,
    pub(crate) annotations: Vec<(String, Template)>,
}

impl RuleSet {
    /// Checks `rules`.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) with all problems of all rules at once.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self> {
        let mut problems = Vec::new();
        let mut names = BTreeSet::new();
        let mut checked = Self::default();
        for rule in rules {
            if !names.insert(rule.name.clone()) {
                problems.push(format!("rule {:?}: another rule has the same name", rule.name));
            }
            let mut found = Vec::new();
            let annotations = check(&rule, &mut found, &mut checked.window_max);
            problems.extend(found.into_iter().map(|problem| format!("rule {:?}: {problem}", rule.name)));
            checked.rules.push(CheckedRule { rule, annotations });
        }
        if problems.is_empty() {
            return Ok(checked);
        }
        Err(Error::new(ErrorKind::InvalidInput, "check rules", problems.join("; ")))
    }

    /// The rules in the order in which they are evaluated.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|checked| &checked.rule)
    }

    pub(crate) fn checked(&self) -> &[CheckedRule] {
        &self.rules
    }

    /// The longest window that any rule looks back: the least retention that makes sense.
    #[must_use]
    pub const fn window_max(&self) -> Duration {
        self.window_max
    }
}

fn check(rule: &Rule, problems: &mut Vec<String>, window_max: &mut Duration) -> Vec<(String, Template)> {
    if rule.name.is_empty() {
        problems.push("the name is empty".to_owned());
    }
    rule.expr.check(problems, window_max);
    for name in rule.labels.keys() {
        if !is_label_name(name) || name == ALERT_NAME {
            problems.push(format!("{name:?} cannot be the name of a label of an alert"));
        }
    }
    let mut annotations = Vec::new();
    for (name, text) in &rule.annotations {
        match Template::parse(text) {
            Ok(template) => annotations.push((name.clone(), template)),
            Err(problem) => problems.push(format!("annotation {name:?}: {problem}")),
        }
    }
    annotations
}

fn is_label_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with("__")
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expr, Selector};

    #[test]
    fn all_problems_are_reported_at_once() {
        let rate = Expr::rate(Selector::metric("m"), Duration::ZERO);
        let rules = [
            Rule::new("A", rate.histogram_quantile(95.0).above(f64::NAN)).with_label("alertname", "x"),
            Rule::new("A", 1.0.into()).with_annotation("summary", "on {{ $labels.job"),
            Rule::new("", 1.0.into()).with_annotation("summary", "{{ query \"x\" }}"),
        ];
        assert_eq!(
            RuleSet::new(rules).unwrap_err().to_string(),
            "check rules: rule \"A\": a threshold is NaN, which no value meets; \
             rule \"A\": the quantile 95 is not between 0 and 1; \
             rule \"A\": the window over m is zero; \
             rule \"A\": \"alertname\" cannot be the name of a label of an alert; \
             rule \"A\": another rule has the same name; \
             rule \"A\": annotation \"summary\": `{{` has no `}}`; \
             rule \"\": the name is empty; \
             rule \"\": annotation \"summary\": `query \"x\"` is not $labels.NAME, $value or \
             $value | humanizePercentage"
        );
    }
}
