//! Writes rule files.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::promql::format_duration;
use crate::rule::{GroupRule, RuleGroup};
use crate::yaml::{self, Node};

/// The text of a rule file with these groups.
pub(super) fn write(groups: &[RuleGroup]) -> String {
    yaml::write(&Node::map([("groups", Some(Node::list(groups.iter().map(group))))]))
}

fn group(group: &RuleGroup) -> Node {
    Node::map([
        ("name", Some(Node::text(&group.name))),
        ("interval", group.interval.map(duration)),
        ("query_offset", some_duration(group.query_offset)),
        ("limit", (group.limit > 0).then(|| Node::plain(group.limit))),
        ("labels", texts(&group.labels)),
        ("rules", Some(Node::list(group.rules.iter().map(rule)))),
    ])
}

fn rule(rule: &GroupRule) -> Node {
    match rule {
        GroupRule::Alert(rule) => Node::map([
            ("alert", Some(Node::text(&rule.name))),
            ("expr", Some(Node::text(&rule.expr))),
            ("for", some_duration(rule.for_duration)),
            ("keep_firing_for", some_duration(rule.keep_firing_for)),
            ("labels", texts(&rule.labels)),
            ("annotations", texts(&rule.annotations)),
        ]),
        GroupRule::Record(rule) => Node::map([
            ("record", Some(Node::text(&rule.name))),
            ("expr", Some(Node::text(&rule.expr))),
            ("labels", texts(&rule.labels)),
        ]),
    }
}

fn some_duration(value: Duration) -> Option<Node> {
    (!value.is_zero()).then(|| duration(value))
}

fn duration(value: Duration) -> Node {
    Node::plain(format_duration(i64::try_from(value.as_millis()).unwrap_or(i64::MAX)))
}

fn texts(texts: &BTreeMap<String, String>) -> Option<Node> {
    let entries = texts.iter().map(|(name, text)| (name.clone(), Some(Node::text(text))));
    (!texts.is_empty()).then(|| Node::map(entries))
}
