//! The rule that is examined.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::Labels;

use super::{Finding, FindingKind, Severity};
use crate::promql::ast::{BinaryOp, Node, NodeKind, ValueType};
use crate::promql::{
    Position, Query, QueryError, QueryOptions, QueryPlan, SeriesSource, Span, Value, VectorSample,
};

/// The rule that is examined, and the series on which it is.
pub(super) struct Patient<'a> {
    pub(super) query: &'a Query,
    pub(super) for_duration: Duration,
    pub(super) annotations: Vec<&'a str>,
    pub(super) source: &'a dyn SeriesSource,
    pub(super) now: i64,
    /// How far back series are looked at, in milliseconds.
    pub(super) history: i64,
    pub(super) options: &'a QueryOptions,
    pub(super) findings: Vec<Finding>,
}

impl Patient<'_> {
    pub(super) fn find(&mut self, kind: FindingKind, severity: Severity, span: Span, text: String) {
        self.find_with(kind, severity, span, text, None);
    }

    pub(super) fn find_with(
        &mut self,
        kind: FindingKind,
        severity: Severity,
        span: Span,
        text: String,
        corrected: Option<String>,
    ) {
        let position = Position::in_text(self.query.text(), span.start);
        // A correction is only offered if it can be read.
        let corrected = corrected.filter(|text| Query::parse(text).is_ok());
        self.findings.push(Finding { kind, severity, position, text, corrected });
    }

    pub(super) fn text(&self, node: &Node) -> &str {
        node.span.of(self.query.text())
    }

    /// The expression with one part of it replaced.
    pub(super) fn replaced(&self, span: Span, by: &str) -> String {
        let text = self.query.text();
        let before = text.get(..span.start).unwrap_or_default();
        let after = text.get(span.end..).unwrap_or_default();
        format!("{before}{by}{after}")
    }

    /// The samples of an expression at present, whether or not comparisons within it hold.
    pub(super) fn candidates(&self, node: &Node) -> Result<Vec<VectorSample>, QueryError> {
        let unfiltered = without_comparisons(node);
        let mut plan = QueryPlan::new(Arc::from(self.query.text()), &unfiltered);
        Ok(match plan.instant(self.source, self.now, self.options)?.value {
            Value::Vector(samples) => samples,
            Value::Scalar(value) => vec![VectorSample { labels: Labels::empty(), value: value.into() }],
            Value::Text(_) | Value::Matrix(_) => Vec::new(),
        })
    }
}

/// The expression without what chooses samples by their values.
pub(super) fn without_comparisons(node: &Node) -> Node {
    let boxed = |node: &Node| Box::new(without_comparisons(node));
    let kind = match &node.kind {
        NodeKind::Binary { op, returns_bool, left, right, .. } if op.compares() && !returns_bool => {
            let chosen = if left.value_type() == ValueType::Vector { left } else { right };
            return without_comparisons(chosen);
        }
        NodeKind::Binary { op: BinaryOp::And | BinaryOp::Unless, left, .. } => {
            return without_comparisons(left);
        }
        NodeKind::Binary { op, returns_bool, matching, left, right } => NodeKind::Binary {
            op: *op,
            returns_bool: *returns_bool,
            matching: matching.clone(),
            left: boxed(left),
            right: boxed(right),
        },
        NodeKind::Paren(of) => NodeKind::Paren(boxed(of)),
        NodeKind::Negate(of) => NodeKind::Negate(boxed(of)),
        NodeKind::Aggregate { op, grouping, parameter, of } => NodeKind::Aggregate {
            op: *op,
            grouping: grouping.clone(),
            parameter: parameter.clone(),
            of: boxed(of),
        },
        NodeKind::Call { function, arguments } => NodeKind::Call {
            function: *function,
            arguments: arguments.iter().map(without_comparisons).collect(),
        },
        other => other.clone(),
    };
    Node { span: node.span, kind }
}

/// The names of labels that all samples have, the metric's name not among them.
pub(super) fn shared_label_names(samples: &[VectorSample]) -> BTreeSet<String> {
    let names = |sample: &VectorSample| -> BTreeSet<String> {
        sample.labels.iter().map(|(name, _)| name.to_owned()).filter(|name| name != Labels::NAME).collect()
    };
    let mut all = samples.iter().map(names);
    let first = all.next().unwrap_or_default();
    all.fold(first, |shared, names| &shared & &names)
}
