//! Shares that are rates.

use super::patient::Patient;
use super::{FindingKind, Severity};
use crate::promql::ast::{BinaryOp, Function, Node, NodeKind, Selector};

pub(super) fn examine(patient: &mut Patient<'_>) {
    let root = patient.query.root();
    let mut nodes = Vec::new();
    root.walk(&mut |node| nodes.push(node));
    for node in nodes {
        let NodeKind::Binary { op: BinaryOp::Greater | BinaryOp::GreaterOrEqual, left, right, .. } =
            &node.kind
        else {
            continue;
        };
        let NodeKind::Number(limit) = right.bare().kind else { continue };
        let Some(selector) = rated(left) else { continue };
        if !(0.0..=1.0).contains(&limit) || limit == 0.0 {
            continue;
        }
        let percent = format!("{}%", limit * 100.0);
        let spaced = percent.replace('%', " %");
        if !patient.annotations.iter().any(|text| mentions(text, &percent) || mentions(text, &spaced)) {
            continue;
        }
        let text = format!(
            "the rule speaks of {percent}, but {} is a rate per second, not a share: {limit} is one in {} seconds",
            patient.text(left),
            (1.0 / limit).round(),
        );
        let corrected = share(patient, left, selector, right, *op_sign(node));
        patient.find_with(FindingKind::PercentageOfRate, Severity::Misleading, left.span, text, corrected);
    }
}

fn op_sign(node: &Node) -> &BinaryOp {
    match &node.kind {
        NodeKind::Binary { op, .. } => op,
        _ => &BinaryOp::Greater,
    }
}

/// The selector of a side that is a rate, or a sum of rates, and is not divided by anything.
fn rated(node: &Node) -> Option<&Selector> {
    match &node.bare().kind {
        NodeKind::Call { function: Function::Rate | Function::Irate, arguments } => {
            match &arguments.first()?.bare().kind {
                NodeKind::Range { selector, .. } => Some(selector),
                _ => None,
            }
        }
        NodeKind::Aggregate { of, .. } => rated(of),
        _ => None,
    }
}

/// Whether a text names a percentage, and not the end of another one: `110%` does not name `10%`.
fn mentions(text: &str, percent: &str) -> bool {
    text.match_indices(percent).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default().chars().next_back();
        !before.is_some_and(|c| c.is_ascii_digit() || c == '.')
    })
}

/// The rate of what is selected by the rate of all.
fn share(
    patient: &Patient<'_>,
    rate: &Node,
    selector: &Selector,
    limit: &Node,
    op: BinaryOp,
) -> Option<String> {
    let name = selector.name()?;
    let kept: Vec<String> = selector
        .matchers
        .iter()
        .filter(|matcher| {
            matcher.equal_to(matcher.name()).is_some() && matcher.name() != alfred_ops_core::Labels::NAME
        })
        .map(ToString::to_string)
        .collect();
    if kept.len() + 1 == selector.matchers.len() {
        return None;
    }
    let part = patient.text(rate);
    let braces = part.find('{')?;
    let close = part.rfind('}')?;
    let all = if kept.is_empty() { String::new() } else { format!("{{{}}}", kept.join(",")) };
    let whole = format!("{}{all}{}", part.get(..braces)?, part.get(close + 1..)?);
    let by = "job, instance";
    let sign = op.sign();
    let limit = patient.text(limit);
    debug_assert!(part.contains(name), "a rate's text holds its metric's name");
    Some(format!("sum by ({by}) ({part}) / sum by ({by}) ({whole}) {sign} {limit}"))
}
