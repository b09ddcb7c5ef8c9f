//! Metrics, labels and values that nobody exports.

use std::collections::BTreeSet;

use alfred_ops_core::Labels;

use super::patient::Patient;
use super::{FindingKind, Severity};
use crate::promql::Span;
use crate::promql::ast::{Function, MatchOp, Matcher, Node, NodeKind, Selector};

/// How many values are listed in a finding.
const LISTED: usize = 6;

pub(super) fn examine(patient: &mut Patient<'_>) {
    let root = patient.query.root();
    visit(patient, root, Severity::Fatal);
}

/// `weight` is what a missing series means for the rule: where it is tested for, or another part can do without it, nothing
/// bad.
fn visit(patient: &mut Patient<'_>, node: &Node, weight: Severity) {
    use crate::promql::ast::BinaryOp;
    match &node.kind {
        NodeKind::Selector(selector) | NodeKind::Range { selector, .. } => {
            check_selector(patient, selector, node.span, weight);
        }
        NodeKind::Call { function: Function::Absent | Function::AbsentOverTime, arguments } => {
            for argument in arguments {
                visit(patient, argument, Severity::Note);
            }
        }
        NodeKind::Binary { op: BinaryOp::Or, left, right, .. } => {
            visit(patient, left, Severity::Note);
            visit(patient, right, Severity::Note);
        }
        NodeKind::Binary { op: BinaryOp::Unless, left, right, .. } => {
            visit(patient, left, weight);
            visit(patient, right, Severity::Note);
        }
        _ => {
            for child in node.children() {
                visit(patient, child, weight);
            }
        }
    }
}

fn check_selector(patient: &mut Patient<'_>, selector: &Selector, span: Span, weight: Severity) {
    let by_name: Vec<Matcher> =
        selector.matchers.iter().filter(|m| m.name() == Labels::NAME).cloned().collect();
    if by_name.is_empty() {
        return;
    }
    let series: Vec<Labels> =
        patient.source.select(&by_name).into_iter().map(|series| patient.source.labels(series)).collect();
    let name = selector.name().unwrap_or("the selector").to_owned();
    if series.is_empty() {
        patient.find(FindingKind::MissingMetric, weight, span, format!("nobody exports {name}"));
        return;
    }
    for matcher in selector.matchers.iter().filter(|matcher| matcher.name() != Labels::NAME) {
        check_matcher(patient, &name, matcher, &series, span, weight);
    }
}

fn check_matcher(
    patient: &mut Patient<'_>,
    metric: &str,
    matcher: &Matcher,
    series: &[Labels],
    span: Span,
    weight: Severity,
) {
    let label = matcher.name();
    let known: BTreeSet<&str> = series.iter().filter_map(|labels| labels.get(label)).collect();
    let wants_label = matches!(matcher.op(), MatchOp::Equal | MatchOp::Regex) && !matcher.matches_value("");
    if known.is_empty() {
        if wants_label {
            let text = format!("no series of {metric} has the label {label}");
            patient.find(FindingKind::MissingLabel, weight, span, text);
        }
        return;
    }
    if !wants_label {
        return;
    }
    // Of a list of values every one is looked for.
    let wanted = matcher.possible_values();
    let missing: Vec<String> = match &wanted {
        Some(values) => values
            .iter()
            .filter(|value| !known.contains(*value))
            .map(|value| format!("{label}=\"{value}\""))
            .collect(),
        None if known.iter().any(|value| matcher.matches_value(value)) => Vec::new(),
        None => vec![matcher.to_string()],
    };
    if missing.is_empty() {
        return;
    }
    let all = wanted.is_none_or(|values| values.len() == missing.len());
    let mut listed: Vec<&str> = known.iter().copied().take(LISTED).collect();
    if known.len() > LISTED {
        listed.push("…");
    }
    let text =
        format!("no series of {metric} has {}; there are {label}: {}", missing.join(", "), listed.join(", "));
    // Which jobs there are is configured, and known as soon as they are scraped; other values may yet come.
    let severity = match (label == "job", all) {
        (true, true) => weight,
        (true, false) => weight.min(Severity::Misleading),
        (false, _) => Severity::Note,
    };
    patient.find(FindingKind::MissingValue, severity, span, text);
}
