//! Rules that have been checked.

use std::collections::BTreeSet;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};

use super::{CheckedRule, GroupRule, Home, OwnMetrics, Rule, RuleGroup, asked};
use crate::promql::{Query, QueryOptions};
use crate::store::Interest;

/// The group of rules that a host gives without one.
const DEFAULT_GROUP: &str = "rules";

/// Groups of rules that have been checked: expressions and templates that can be read, names that can be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleSet {
    groups: Vec<CheckedGroup>,
}

/// A group and its rules, checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckedGroup {
    pub(crate) group: RuleGroup,
    pub(crate) rules: Vec<CheckedRule>,
    /// What all groups write, of a group that has a source.
    pub(crate) own_metrics: OwnMetrics,
}

impl RuleSet {
    /// Checks alerting rules, which form one group.
    ///
    /// # Errors
    /// Those of [`of_groups`](Self::of_groups).
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self> {
        let group = RuleGroup::new(DEFAULT_GROUP).with_rules(rules);
        if group.rules.is_empty() { Ok(Self::default()) } else { Self::of_groups([group]) }
    }

    /// Checks groups.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) with all problems of all rules at once. Of a group with a source also a
    /// rule that looks at series of the source and at what the groups' own rules write.
    pub fn of_groups(groups: impl IntoIterator<Item = RuleGroup>) -> Result<Self> {
        let mut problems = Vec::new();
        let mut names = BTreeSet::new();
        let mut checked = Vec::new();
        for group in groups {
            if group.name.is_empty() {
                problems.push("a group has no name".to_owned());
            } else if !names.insert((group.file.clone(), group.name.clone())) {
                problems.push(format!("two groups are named {:?}", group.name));
            }
            if group.interval.is_some_and(|interval| interval.is_zero()) {
                problems.push(format!("group {:?}: the interval is zero", group.name));
            }
            let mut rules = Vec::new();
            for rule in &group.rules {
                let mut found = Vec::new();
                rules.extend(CheckedRule::new(rule, &group, &mut found));
                problems
                    .extend(found.into_iter().map(|problem| format!("rule {:?}: {problem}", rule.name())));
            }
            checked.push(CheckedGroup { group, rules, own_metrics: OwnMetrics::default() });
        }
        find_homes(&mut checked, &mut problems);
        if problems.is_empty() {
            return Ok(Self { groups: checked });
        }
        Err(Error::new(ErrorKind::InvalidInput, "check rules", problems.join("; ")))
    }

    /// The groups.
    pub fn groups(&self) -> impl Iterator<Item = &RuleGroup> {
        self.groups.iter().map(|checked| &checked.group)
    }

    /// The rules of all groups in the order in which they are evaluated.
    pub fn iter(&self) -> impl Iterator<Item = &GroupRule> {
        self.groups().flat_map(|group| &group.rules)
    }

    pub(crate) fn checked(&self) -> &[CheckedGroup] {
        &self.groups
    }

    /// What the rules can ever look at, evaluated with `options`; without what only a group's source is asked for.
    #[must_use]
    pub fn interest(&self, options: &QueryOptions) -> Interest {
        let here = self.checked_rules().filter(|rule| rule.home == Home::Here);
        let asked: Vec<Query> =
            self.checked_rules().flat_map(CheckedRule::templates).flat_map(asked::asked).collect();
        Interest::of(here.flat_map(CheckedRule::queries), options).with_open(&asked, asked::OPEN, options)
    }

    /// The queries of all rules.
    pub fn queries(&self) -> impl Iterator<Item = &Query> {
        self.checked_rules().flat_map(CheckedRule::queries)
    }

    fn checked_rules(&self) -> impl Iterator<Item = &CheckedRule> {
        self.groups.iter().flat_map(|group| &group.rules)
    }

    /// How far back any rule looks.
    #[must_use]
    pub fn window_max(&self, options: &QueryOptions) -> Duration {
        let offset = self.groups().map(|group| group.query_offset).max().unwrap_or_default();
        let reach = u64::try_from(self.interest(options).longest_millis()).unwrap_or(0);
        Duration::from_millis(reach).saturating_add(offset)
    }
}

/// Decides for the groups that have a source where each rule is answered.
fn find_homes(groups: &mut [CheckedGroup], problems: &mut Vec<String>) {
    let own_metrics = OwnMetrics::of(groups.iter().map(|checked| &checked.group));
    for checked in groups {
        let Some(source) = &checked.group.source else { continue };
        for rule in &mut checked.rules {
            match own_metrics.home(&rule.query) {
                Ok(home) => rule.home = home,
                Err(sides) => problems.push(format!("rule {:?}: {}", rule.name, sides.problem(source))),
            }
        }
        checked.own_metrics = own_metrics.clone();
    }
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::Labels;

    use super::*;
    use crate::{Expr, RecordingRule, Selector};

    #[test]
    fn all_problems_are_reported_at_once() {
        let rate = Expr::rate(Selector::metric("m"), Duration::ZERO);
        let rules = [
            Rule::new("A", rate.histogram_quantile(0.95).above(1.0)).with_label("__name__", "x"),
            Rule::new("A", "vector(1)").with_annotation("summary", "on {{ $labels.job"),
            Rule::new("", "sum by (job (up)"),
        ];
        let error = RuleSet::new(rules).unwrap_err().to_string();
        for part in [
            "rule \"A\": expression 1:",
            "rule \"A\": \"__name__\" cannot be the name of a label of an alert",
            "rule \"A\": annotation \"summary\": 1:4: the action is not closed; end it with `}}`",
            "rule \"\": the name is empty",
            "rule \"\": expression 1:8: \"(\" is never closed",
        ] {
            assert!(error.contains(part), "{part} in {error}");
        }
        let groups =
            [RuleGroup::new("g").with_rules([RecordingRule::new("a{b}", "m[5m]")]), RuleGroup::new("g")];
        let error = RuleSet::of_groups(groups).unwrap_err().to_string();
        assert_eq!(
            error,
            "check rules: rule \"a{b}\": the expression is a range vector, not a vector; rule \"a{b}\": \"a{b}\" cannot \
             be a metric's name: braces belong into the expression; two groups are named \"g\""
        );
    }

    #[test]
    fn what_templates_ask_for_is_of_interest() {
        let rule = Rule::new("A", "up == 0")
            .with_annotation("summary", "{{ printf \"host{node='%s'}[1h]\" $labels.node | query | len }}");
        let interest = RuleSet::new([rule]).unwrap().interest(&QueryOptions::default());
        assert_eq!(interest.keep_millis(&Labels::metric("host").with("node", "a")), Some(65 * 60_000));
        assert_eq!(interest.keep_millis(&Labels::metric("other")), None);
    }

    #[test]
    fn what_is_compared_is_watched() {
        let watched = |expr: &str| {
            let set = RuleSet::new([Rule::new("A", expr)]).unwrap();
            let alert = set.groups[0].rules[0].alert.clone().unwrap();
            alert.watched.map(|query| query.text().to_owned())
        };
        assert_eq!(watched("(a / b > 0.5) and on (x) c").as_deref(), Some("a / b"));
        assert_eq!(watched("1 < rate(m_total[5m])").as_deref(), Some("rate(m_total[5m])"));
        assert_eq!(watched("a or b > 1"), None);
        assert_eq!(watched("absent(up)"), None);
    }
}
