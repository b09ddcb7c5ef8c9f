//! A rule that has been checked.

use std::time::Duration;

use super::{GroupRule, Home, Rule, RuleGroup, Template};
use crate::promql::ast::{BinaryOp, Node, NodeKind, ValueType};
use crate::promql::{Query, QueryError};

/// The label that holds an alert's rule.
pub(crate) const ALERT_NAME: &str = "alertname";

/// A rule that has been checked, its texts read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckedRule {
    pub(crate) name: String,
    pub(crate) query: Query,
    /// Where the query is answered.
    pub(crate) home: Home,
    pub(crate) labels: Vec<(String, Template)>,
    /// What only an alerting rule has.
    pub(crate) alert: Option<AlertPart>,
}

/// What only an alerting rule has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AlertPart {
    pub(crate) for_duration: Duration,
    pub(crate) keep_firing_for: Duration,
    /// Whether it is evaluated when what it looks at changes, too.
    pub(crate) on_change: bool,
    pub(crate) annotations: Vec<(String, Template)>,
    /// What the expression's condition looks at, so that "no longer true" can be told from "no longer there".
    pub(crate) watched: Option<Query>,
}

impl CheckedRule {
    /// Checks a rule of `group`; all that is wrong goes to `problems`.
    pub(super) fn new(rule: &GroupRule, group: &RuleGroup, problems: &mut Vec<String>) -> Option<Self> {
        let before = problems.len();
        let name = rule.name();
        if name.is_empty() {
            problems.push("the name is empty".to_owned());
        }
        let query = match Query::parse(rule.expr()) {
            Ok(query) => Some(query),
            Err(error) => {
                problems.push(describe(&error));
                None
            }
        };
        if let Some(query) = &query
            && !matches!(query.value_type(), ValueType::Scalar | ValueType::Vector)
        {
            problems.push(format!("the expression is a {}, not a vector", query.value_type().name()));
        }
        let own = rule.labels();
        let inherited = group.labels.iter().filter(|(label, _)| !own.contains_key(*label));
        let labels = own.iter().chain(inherited);
        let mut read = |what: &str, name: &str, text: &str| match Template::parse(text) {
            Ok(template) => Some((name.to_owned(), template)),
            Err(problem) => {
                let hint = problem.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
                problems.push(format!("{what} {name:?}: {problem}{hint}"));
                None
            }
        };
        let labels: Vec<(String, Template)> =
            labels.filter_map(|(name, text)| read("label", name, text)).collect();
        let alert = match rule {
            GroupRule::Record(_) => None,
            GroupRule::Alert(rule) => Some(AlertPart {
                for_duration: rule.for_duration,
                keep_firing_for: rule.keep_firing_for,
                on_change: rule.on_change,
                annotations: rule
                    .annotations
                    .iter()
                    .filter_map(|(name, text)| read("annotation", name, text))
                    .collect(),
                watched: query.as_ref().and_then(watched),
            }),
        };
        check_names(rule, &labels, problems);
        check_on_change(rule, group, problems);
        let query = query.filter(|_| problems.len() == before)?;
        Some(Self { name: name.to_owned(), query, home: Home::Here, labels, alert })
    }
}

impl CheckedRule {
    /// All that is asked for it, templates apart.
    pub(crate) fn queries(&self) -> impl Iterator<Item = &Query> {
        let watched = self.alert.as_ref().and_then(|alert| alert.watched.as_ref());
        std::iter::once(&self.query).chain(watched)
    }

    /// The texts of its labels and annotations.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        let annotations = self.alert.iter().flat_map(|alert| &alert.annotations);
        self.labels.iter().chain(annotations).map(|(_, template)| template)
    }

    /// Whether `next` goes on where this rule ends, when rules are exchanged.
    pub(crate) fn is_succeeded_by(&self, next: &Self) -> bool {
        self.alert.is_some() == next.alert.is_some()
            && self.name == next.name
            && self.labels.len() == next.labels.len()
            && self.labels.iter().all(|label| next.labels.contains(label))
    }
}

fn describe(error: &QueryError) -> String {
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("expression {error}{hint}")
}

fn check_names(rule: &GroupRule, labels: &[(String, Template)], problems: &mut Vec<String>) {
    let record = matches!(rule, GroupRule::Record(_));
    if record && rule.name().contains(['{', '}']) {
        problems
            .push(format!("{:?} cannot be a metric's name: braces belong into the expression", rule.name()));
    }
    for (label, _) in labels {
        // An alert's own name takes the place of a label that is called so, as in Prometheus.
        if label.is_empty() || label == alfred_ops_core::Labels::NAME {
            let of = if record { "a recorded series" } else { "an alert" };
            problems.push(format!("{label:?} cannot be the name of a label of {of}"));
        }
    }
}

fn check_on_change(rule: &GroupRule, group: &RuleGroup, problems: &mut Vec<String>) {
    let GroupRule::Alert(Rule { on_change: true, for_duration, .. }) = rule else { return };
    if !for_duration.is_zero() {
        problems.push(format!("it is evaluated on change and has `for: {for_duration:?}`; leave one out"));
    }
    if let Some(source) = &group.source {
        problems.push(format!(
            "it is evaluated on change, and its group is asked of {source:?}, whose changes nobody sees; move it to a group \
             without a source"
        ));
    }
    if !group.query_offset.is_zero() {
        problems.push(format!(
            "it is evaluated on change, and its group looks back by {:?}; move it to a group without query offset",
            group.query_offset
        ));
    }
}

/// The side of a comparison that is compared, as a query of its own.
fn watched(query: &Query) -> Option<Query> {
    let node = compared(query.root())?;
    Query::parse(node.span.of(query.text())).ok()
}

fn compared(node: &Node) -> Option<&Node> {
    let NodeKind::Binary { op, returns_bool: false, left, right, .. } = &node.bare().kind else {
        return None;
    };
    match op {
        BinaryOp::And | BinaryOp::Unless => compared(left),
        op if op.compares() => match (left.value_type(), right.value_type()) {
            (ValueType::Vector, _) => Some(left),
            (_, ValueType::Vector) => Some(right),
            _ => None,
        },
        _ => None,
    }
}
