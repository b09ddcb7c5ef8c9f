//! What an expression may be made of.

use crate::promql::ast::{
    AggregateOp, BinaryOp, DurationContext, DurationExpr, Node, NodeKind, Parameter, ValueType,
};
use crate::promql::{Position, QueryError};

/// Checks what the grammar leaves open.
pub(super) fn check(text: &str, node: &Node) -> Result<(), QueryError> {
    for child in node.children() {
        check(text, child)?;
    }
    problem(node).map_or(Ok(()), |(culprit, message)| {
        Err(QueryError::syntax(message).at(Position::in_text(text, culprit.span.start)))
    })
}

/// A duration that is the same in every query and not positive.
fn not_positive(duration: &DurationExpr) -> Option<String> {
    let wrong = duration.is_constant().then(|| duration.evaluate_positive(&DurationContext::default()).err());
    wrong.flatten().map(|error| error.message().to_owned())
}

fn problem(node: &Node) -> Option<(&Node, String)> {
    match &node.kind {
        NodeKind::Call { function, arguments } => {
            let parameters = function.parameters();
            let context = format!("call to function {:?}", function.name());
            let required =
                parameters.iter().filter(|parameter| matches!(parameter, Parameter::Required(_))).count();
            let unbounded = parameters.iter().any(|parameter| matches!(parameter, Parameter::Repeated(_)));
            if arguments.len() < required || (!unbounded && arguments.len() > parameters.len()) {
                let message = format!("wrong number of arguments in {context}: {}", arguments.len());
                return Some((node, message));
            }
            arguments.iter().enumerate().find_map(|(index, argument)| {
                let parameter = parameters.get(index).or(parameters.last())?;
                let (Parameter::Required(expected)
                | Parameter::Optional(expected)
                | Parameter::Repeated(expected)) = *parameter;
                mismatch(argument, expected, &context)
            })
        }
        NodeKind::Aggregate { op, parameter, of, .. } => {
            let context = "aggregation expression";
            let wanted = match op {
                AggregateOp::CountValues => Some(ValueType::Text),
                AggregateOp::Quantile => Some(ValueType::Scalar),
                op if op.chooses() => Some(ValueType::Scalar),
                _ => None,
            };
            let wrong = match (wanted, parameter) {
                (Some(expected), Some(parameter)) => mismatch(parameter, expected, context),
                (None, None) => None,
                _ => Some((
                    node,
                    format!("wrong number of arguments for aggregate expression {:?}", op.name()),
                )),
            };
            wrong.or_else(|| mismatch(of, ValueType::Vector, context))
        }
        NodeKind::Range { range, .. } => not_positive(range).map(|message| (node, message)),
        NodeKind::Subquery { of, range, step, .. } => {
            let durations = std::iter::once(range).chain(step);
            let wrong = durations.filter_map(not_positive).next().map(|message| (node, message));
            wrong.or_else(|| mismatch(of, ValueType::Vector, "subquery"))
        }
        NodeKind::Negate(of) if !matches!(of.value_type(), ValueType::Scalar | ValueType::Vector) => {
            let message =
                "unary expression only allowed on expressions of type scalar or instant vector, got";
            Some((of, format!("{message} {:?}", of.value_type().name())))
        }
        NodeKind::Binary { op, returns_bool, left, right, .. } => {
            let both_scalars =
                left.value_type() == ValueType::Scalar && right.value_type() == ValueType::Scalar;
            match op {
                BinaryOp::TrimUpper | BinaryOp::TrimLower if both_scalars => {
                    Some((node, format!("operator {:?} not allowed for Scalar operations", op.sign())))
                }
                BinaryOp::TrimUpper | BinaryOp::TrimLower if *returns_bool => {
                    Some((node, "bool modifier can only be used on comparison operators".to_owned()))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn mismatch<'n>(node: &'n Node, expected: ValueType, context: &str) -> Option<(&'n Node, String)> {
    let actual = node.value_type();
    (actual != expected)
        .then(|| (node, format!("expected type {} in {context}, got {}", expected.name(), actual.name())))
}
