//! What is wrong whatever the series are.

use super::patient::Patient;
use super::{FindingKind, Severity};
use crate::promql::ast::{AggregateOp, BinaryOp, Function, Grouping, Node, NodeKind};

pub(super) fn examine(patient: &mut Patient<'_>) {
    let root = patient.query.root();
    let mut nodes = Vec::new();
    root.walk(&mut |node| nodes.push(node));
    for node in nodes {
        sum_of_zeros(patient, node);
        histogram_quantile(patient, node);
    }
}

/// `sum(x == 0) > 2`: what is left are zeros, and so is their sum.
fn sum_of_zeros(patient: &mut Patient<'_>, node: &Node) {
    let NodeKind::Binary {
        op: BinaryOp::Greater | BinaryOp::GreaterOrEqual,
        returns_bool: false,
        left,
        right,
        ..
    } = &node.kind
    else {
        return;
    };
    let NodeKind::Aggregate { op, of, .. } = &left.bare().kind else { return };
    let (NodeKind::Number(limit), true) = (
        &right.bare().kind,
        matches!(op, AggregateOp::Sum | AggregateOp::Avg | AggregateOp::Max | AggregateOp::Min),
    ) else {
        return;
    };
    let NodeKind::Binary { op: BinaryOp::Equal, returns_bool: false, right: zero, .. } = &of.bare().kind
    else {
        return;
    };
    if *limit > 0.0 && matches!(zero.bare().kind, NodeKind::Number(number) if number == 0.0) {
        let name = op.name();
        let text = format!(
            "{name} of samples that are all zero is zero and never above {limit}: a comparison chooses samples, it does not \
             count them"
        );
        // The word itself stands first.
        let word =
            crate::promql::Span { start: left.bare().span.start, end: left.bare().span.start + name.len() };
        let corrected = patient.replaced(word, "count");
        patient.find_with(FindingKind::SumOfZeros, Severity::Fatal, left.span, text, Some(corrected));
    }
}

fn histogram_quantile(patient: &mut Patient<'_>, node: &Node) {
    let NodeKind::Call { function: Function::HistogramQuantile, arguments } = &node.kind else { return };
    let [quantile, of] = arguments.as_slice() else { return };
    if let NodeKind::Number(number) = quantile.bare().kind
        && !(0.0..=1.0).contains(&number)
    {
        let text = format!(
            "the quantile {number} is not between 0 and 1: the answer is an infinity whatever the values are"
        );
        let corrected = (1.0..=100.0)
            .contains(&number)
            .then(|| patient.replaced(quantile.span, &(number / 100.0).to_string()));
        patient.find_with(FindingKind::QuantileOutOfRange, Severity::Fatal, quantile.span, text, corrected);
    }
    let NodeKind::Aggregate { grouping, of: inner, .. } = &of.bare().kind else { return };
    let lost = match grouping {
        Grouping::By(labels) => !labels.iter().any(|label| label == "le"),
        Grouping::Without(labels) => labels.iter().any(|label| label == "le"),
    };
    // Native histograms keep their bounds within.
    let classic = patient
        .candidates(inner)
        .is_ok_and(|samples| samples.iter().any(|sample| sample.labels.get("le").is_some()));
    if lost && classic {
        let text = "the buckets are added up without their bounds: the label le must be kept".to_owned();
        let corrected = match grouping {
            Grouping::By(labels) => {
                let kept: Vec<&str> = labels.iter().map(String::as_str).chain(["le"]).collect();
                let inner = patient.text(inner);
                Some(patient.replaced(of.bare().span, &format!("sum by ({}) ({inner})", kept.join(", "))))
            }
            Grouping::Without(_) => None,
        };
        patient.find_with(FindingKind::BoundsLost, Severity::Fatal, of.span, text, corrected);
    }
}
