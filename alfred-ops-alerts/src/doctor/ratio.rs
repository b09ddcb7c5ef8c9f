//! Ratios that are infinite.

use super::patient::Patient;
use super::{FindingKind, Severity};
use crate::promql::VectorSample;
use crate::promql::ast::{BinaryOp, Node, NodeKind, ValueType};

pub(super) fn examine(patient: &mut Patient<'_>) {
    let root = patient.query.root();
    let mut nodes = Vec::new();
    root.walk(&mut |node| nodes.push(node));
    for node in nodes {
        if let NodeKind::Binary {
            op: BinaryOp::Greater | BinaryOp::GreaterOrEqual,
            returns_bool: false,
            left,
            ..
        } = &node.kind
            && let NodeKind::Binary { op: BinaryOp::Divide, left: dividend, right: divisor, .. } =
                &left.bare().kind
            && divisor.value_type() == ValueType::Vector
            && is_limit(divisor)
        {
            check(patient, dividend, divisor);
        }
    }
}

/// Whether a divisor is a plain gauge, such as a limit. Of rates that are zero at night nothing is said.
fn is_limit(node: &Node) -> bool {
    match &node.bare().kind {
        NodeKind::Selector(_) => true,
        NodeKind::Aggregate { of, .. } => is_limit(of),
        _ => false,
    }
}

fn check(patient: &mut Patient<'_>, dividend: &Node, divisor: &Node) {
    let Ok(divisors) = patient.candidates(divisor) else { return };
    let zero = |sample: &&VectorSample| sample.value.float() == Some(0.0);
    let zeros: Vec<&VectorSample> = divisors.iter().filter(zero).collect();
    let Some(example) = zeros.first() else { return };
    let text = format!(
        "{} is 0 for {} of {} series, such as {}: divided by it {} is +Inf, which is above any limit",
        patient.text(divisor),
        zeros.len(),
        divisors.len(),
        example.labels,
        patient.text(dividend),
    );
    let corrected = patient.replaced(divisor.span, &format!("({} > 0)", patient.text(divisor.bare())));
    patient.find_with(FindingKind::InfiniteRatio, Severity::Misleading, divisor.span, text, Some(corrected));
}
