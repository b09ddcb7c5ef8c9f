//! Two values computed into one.

use std::sync::Arc;

use alfred_ops_core::histogram::{Histogram, ResetHint};

use super::context::Context;
use super::trim::trimmed;
use crate::promql::ast::BinaryOp;
use crate::promql::{SampleValue, Span};

/// The result of an operator, and whether a comparison holds.
#[derive(Debug, Clone)]
pub(super) struct Combined {
    pub(super) value: SampleValue,
    pub(super) holds: bool,
}

pub(super) fn negate(value: &mut SampleValue) {
    match value {
        SampleValue::Float(value) => *value = -*value,
        SampleValue::Histogram(histogram) => {
            let histogram = Arc::make_mut(histogram);
            histogram.multiply(-1.0);
            histogram.reset_hint = ResetHint::Gauge;
        }
    }
}

/// Two numbers; a comparison yields 1 or 0.
pub(super) fn scalars(op: BinaryOp, left: f64, right: f64) -> f64 {
    let (value, holds) = floats(op, left, right);
    match op.compares() {
        true => f64::from(u8::from(holds)),
        false => value,
    }
}

fn floats(op: BinaryOp, left: f64, right: f64) -> (f64, bool) {
    #[expect(clippy::float_cmp, reason = "PromQL compares exactly")]
    let holds = match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Less => left < right,
        BinaryOp::LessOrEqual => left <= right,
        BinaryOp::Greater => left > right,
        BinaryOp::GreaterOrEqual => left >= right,
        _ => true,
    };
    let value = match op {
        BinaryOp::Add => left + right,
        BinaryOp::Subtract => left - right,
        BinaryOp::Multiply => left * right,
        BinaryOp::Divide => left / right,
        BinaryOp::Modulo => left % right,
        BinaryOp::Power => left.powf(right),
        BinaryOp::Atan2 => left.atan2(right),
        _ => left,
    };
    (value, holds)
}

/// Two samples, or `None` and an annotation if they cannot be computed into one.
pub(super) fn combine(
    op: BinaryOp,
    left: &SampleValue,
    right: &SampleValue,
    span: Span,
    context: &mut Context<'_>,
) -> Option<Combined> {
    match (left, right) {
        (SampleValue::Float(_), SampleValue::Float(_))
            if matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower) =>
        {
            incompatible(op, "float", "float", span, context)
        }
        (SampleValue::Float(left), SampleValue::Float(right)) => {
            let (value, holds) = floats(op, *left, *right);
            Some(Combined { value: value.into(), holds })
        }
        (SampleValue::Float(left), SampleValue::Histogram(right)) => match op {
            BinaryOp::Multiply => computed(right, |histogram| histogram.multiply(*left)),
            _ => incompatible(op, "float", "histogram", span, context),
        },
        (SampleValue::Histogram(left), SampleValue::Float(right)) => match op {
            BinaryOp::Multiply => computed(left, |histogram| histogram.multiply(*right)),
            BinaryOp::Divide => computed(left, |histogram| histogram.divide(*right)),
            BinaryOp::TrimUpper | BinaryOp::TrimLower => {
                let histogram = trimmed(left, *right, op == BinaryOp::TrimUpper);
                Some(Combined { value: histogram.into(), holds: true })
            }
            _ => incompatible(op, "histogram", "float", span, context),
        },
        (SampleValue::Histogram(left), SampleValue::Histogram(right)) => {
            histograms(op, left, right, span, context)
        }
    }
}

fn computed(histogram: &Histogram, of: impl Fn(&mut Histogram)) -> Option<Combined> {
    let mut histogram = histogram.clone();
    of(&mut histogram);
    histogram.compact();
    Some(Combined { value: histogram.into(), holds: true })
}

fn histograms(
    op: BinaryOp,
    left: &Arc<Histogram>,
    right: &Arc<Histogram>,
    span: Span,
    context: &mut Context<'_>,
) -> Option<Combined> {
    let kept = |holds| Some(Combined { value: SampleValue::Histogram(Arc::clone(left)), holds });
    match op {
        BinaryOp::Equal => kept(left == right),
        BinaryOp::NotEqual => kept(left != right),
        BinaryOp::Add | BinaryOp::Subtract => {
            let mut result = Histogram::clone(left);
            let (outcome, name) = match op {
                BinaryOp::Add => (result.add(right), "addition"),
                _ => (result.subtract(right), "subtraction"),
            };
            let Some(outcome) = outcome else {
                let sign = op.sign();
                context
                    .warn(span, format!("incompatible bucket layout encountered for binary operator {sign}"));
                return None;
            };
            if outcome.hints_conflict {
                context.warn(span, format!("conflicting counter resets during histogram {name}"));
            }
            if outcome.bounds_matched {
                context.info(span, format!("mismatched custom buckets were reconciled during {name}"));
            }
            if op == BinaryOp::Subtract {
                result.reset_hint = ResetHint::Gauge;
            }
            result.compact();
            Some(Combined { value: result.into(), holds: true })
        }
        _ => incompatible(op, "histogram", "histogram", span, context),
    }
}

fn incompatible(
    op: BinaryOp,
    left: &str,
    right: &str,
    span: Span,
    context: &mut Context<'_>,
) -> Option<Combined> {
    let sign = op.sign();
    context.info(
        span,
        format!("incompatible sample types encountered for binary operator {sign:?}: {left} {sign} {right}"),
    );
    None
}
