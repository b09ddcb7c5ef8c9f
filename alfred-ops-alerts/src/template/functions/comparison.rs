//! Functions that compare.

use std::cmp::Ordering;

use super::{Failure, Function, Outcome, Scope};
use crate::template::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::exact("not", 1, not),
    Function::variadic("eq", 1, eq),
    Function::exact("ne", 2, ne),
    Function::exact("lt", 2, |_, arguments| ordered(arguments, |ordering| ordering == Ordering::Less)),
    Function::exact("le", 2, |_, arguments| ordered(arguments, Ordering::is_le)),
    Function::exact("gt", 2, greater),
    Function::exact("ge", 2, greater_or_equal),
];

fn not(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    Ok(Value::Bool(!arguments.iter().all(Value::is_true)))
}

/// Whether the first argument equals one of the others.
fn eq(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let Some((first, others)) = arguments.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Err("there is nothing to compare with".into());
    };
    for other in others {
        if equal(first, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn ne(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    match arguments {
        [left, right] => Ok(Value::Bool(!equal(left, right)?)),
        _ => Err("there is nothing to compare with".into()),
    }
}

fn incompatible(left: &Value, right: &Value) -> Failure {
    let mut message = format!("cannot compare {} with {}", left.type_name(), right.type_name());
    if matches!((left, right), (Value::Float(_), Value::Int(_)) | (Value::Int(_), Value::Float(_))) {
        message.push_str("; write the whole number with a fraction, such as 80.0");
    }
    Failure::Message(message)
}

fn equal(left: &Value, right: &Value) -> Result<bool, Failure> {
    Ok(match (left, right) {
        (Value::Nil, Value::Nil) => true,
        (Value::Nil, _) | (_, Value::Nil) => false,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => left == right,
        // As IEEE has it: NaN equals nothing.
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right) == Some(Ordering::Equal),
        (Value::Time(left), Value::Time(right)) => left == right,
        _ => match (whole(left), whole(right)) {
            (Some(left), Some(right)) => left == right,
            _ => return Err(incompatible(left, right)),
        },
    })
}

const fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(value) => Some(*value),
        Value::Span(span) => Some(span.nanos()),
        _ => None,
    }
}

/// `None` if one of them is not a number.
fn order(arguments: &[Value]) -> Result<Option<Ordering>, Failure> {
    let [left, right] = arguments else { return Err("there is nothing to compare with".into()) };
    Ok(match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        _ => match (whole(left), whole(right)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => return Err(incompatible(left, right)),
        },
    })
}

fn ordered(arguments: &[Value], holds: fn(Ordering) -> bool) -> Outcome {
    Ok(Value::Bool(order(arguments)?.is_some_and(holds)))
}

/// Go takes "greater" for "not less or equal", which NaN is as well.
fn greater(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    Ok(Value::Bool(!order(arguments)?.is_some_and(Ordering::is_le)))
}

fn greater_or_equal(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    Ok(Value::Bool(!order(arguments)?.is_some_and(Ordering::is_lt)))
}
