//! Sides that never meet.

use std::collections::{BTreeSet, HashSet};

use alfred_ops_core::Labels;

use super::patient::{Patient, shared_label_names};
use super::{FindingKind, Severity};
use crate::promql::ast::{BinaryOp, Matching, Node, NodeKind, ValueType};
use crate::promql::{Query, Value, VectorSample};

pub(super) fn examine(patient: &mut Patient<'_>) {
    let root = patient.query.root();
    let mut nodes = Vec::new();
    root.walk(&mut |node| nodes.push(node));
    for node in nodes {
        if let NodeKind::Binary { op, matching, left, right, .. } = &node.kind
            && !matches!(op, BinaryOp::Or | BinaryOp::Unless)
            && left.value_type() == ValueType::Vector
            && right.value_type() == ValueType::Vector
            && matching.fill_left.is_none()
            && matching.fill_right.is_none()
        {
            check(patient, node, *op, matching, left, right);
        }
    }
}

fn check(
    patient: &mut Patient<'_>,
    node: &Node,
    op: BinaryOp,
    matching: &Matching,
    left: &Node,
    right: &Node,
) {
    let (Ok(left_samples), Ok(right_samples)) = (patient.candidates(left), patient.candidates(right)) else {
        return;
    };
    // A side without series is another finding.
    if left_samples.is_empty() || right_samples.is_empty() {
        return;
    }
    let signature = |sample: &VectorSample| -> Labels {
        let named = |name: &str| matching.labels.iter().any(|label| label == name);
        match matching.on {
            true => sample.labels.without(|name| !named(name)),
            false => sample.labels.without(|name| name == Labels::NAME || named(name)),
        }
    };
    let of_right: HashSet<Labels> = right_samples.iter().map(signature).collect();
    if left_samples.iter().any(|sample| of_right.contains(&signature(sample))) {
        return;
    }
    let (left_names, right_names) = (shared_label_names(&left_samples), shared_label_names(&right_samples));
    let shared: Vec<&str> = left_names.intersection(&right_names).map(String::as_str).collect();
    let only = |own: &BTreeSet<String>, other: &BTreeSet<String>| -> String {
        let names: Vec<&str> = own.difference(other).map(String::as_str).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let text = format!(
        "the two sides of {} never share their labels: only the left one has {}, only the right one {}",
        op.sign(),
        only(&left_names, &right_names),
        only(&right_names, &left_names),
    );
    let corrected = correction(patient, node, op, &shared, left, right);
    patient.find_with(FindingKind::SidesNeverMatch, Severity::Fatal, node.span, text, corrected);
}

/// Both sides aggregated to the labels that they share, if they then meet.
fn correction(
    patient: &Patient<'_>,
    node: &Node,
    op: BinaryOp,
    shared: &[&str],
    left: &Node,
    right: &Node,
) -> Option<String> {
    if shared.is_empty() {
        return None;
    }
    let by = shared.join(", ");
    let (left, right) = (patient.text(left.bare()), patient.text(right.bare()));
    let corrected = match op {
        BinaryOp::And => format!("{left} and on ({by}) {right}"),
        // What is used adds up; of a limit there is one.
        _ => format!("sum by ({by}) ({left}) {} max by ({by}) ({right})", op.sign()),
    };
    let query: Query = corrected.parse().ok()?;
    let plan_answer = patient.candidates_of(&query)?;
    (!plan_answer.is_empty()).then(|| patient.replaced(node.span, &corrected))
}

impl Patient<'_> {
    /// The samples of another expression at present, whether or not comparisons within it hold.
    fn candidates_of(&self, query: &Query) -> Option<Vec<VectorSample>> {
        let unfiltered = super::patient::without_comparisons(query.root());
        let mut plan = crate::promql::QueryPlan::new(std::sync::Arc::from(query.text()), &unfiltered);
        match plan.instant(self.source, self.now, self.options).ok()?.value {
            Value::Vector(samples) => Some(samples),
            _ => None,
        }
    }
}
