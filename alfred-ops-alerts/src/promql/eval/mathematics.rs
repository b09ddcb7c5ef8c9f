//! Functions of numbers.

use super::call::{argument, map};
use super::context::Context;
use super::plan::CallPlan;
use super::vector::Vector;
use crate::promql::QueryError;
use crate::promql::ast::Function;

/// The greater number: infinity, to which nothing is greater, else NaN if either is none.
pub(super) fn greatest(left: f64, right: f64) -> f64 {
    if left == f64::INFINITY || right == f64::INFINITY {
        return f64::INFINITY;
    }
    if left.is_nan() || right.is_nan() { f64::NAN } else { left.max(right) }
}

/// The smaller number, likewise.
pub(super) fn least(left: f64, right: f64) -> f64 {
    -greatest(-left, -right)
}

pub(super) fn apply(call: &mut CallPlan, context: &mut Context<'_>, now: i64) -> Result<Vector, QueryError> {
    let function = call.function;
    let mut number = |call: &mut CallPlan, index: usize, otherwise: f64| {
        if index < call.arguments.len() {
            argument(call, index, context, now).map(|outcome| outcome.scalar())
        } else {
            Ok(otherwise)
        }
    };
    let first = number(call, 1, 1.0)?;
    let second = number(call, 2, f64::NAN)?;
    // The argument is evaluated all the same: it may be dubious.
    let void = function == Function::Clamp && second < first;
    map(call, context, now, |value| {
        let x = value.float().filter(|_| !void)?;
        Some(match function {
            Function::Clamp => greatest(first, least(second, x)),
            Function::ClampMin => greatest(first, x),
            Function::ClampMax => least(first, x),
            Function::Round => {
                // Multiplied by the inverse as Prometheus does, for the same rounding.
                let inverse = 1.0 / first;
                (x * inverse + 0.5).floor() / inverse
            }
            _ => of_one(function, x),
        })
    })
}

fn of_one(function: Function, x: f64) -> f64 {
    match function {
        Function::Abs => x.abs(),
        Function::Ceil => x.ceil(),
        Function::Floor => x.floor(),
        Function::Exp => x.exp(),
        Function::Ln => x.ln(),
        Function::Log2 => x.log2(),
        Function::Log10 => x.log10(),
        Function::Sqrt => x.sqrt(),
        Function::Sgn if x > 0.0 => 1.0,
        Function::Sgn if x < 0.0 => -1.0,
        Function::Sin => x.sin(),
        Function::Cos => x.cos(),
        Function::Tan => x.tan(),
        Function::Asin => x.asin(),
        Function::Acos => x.acos(),
        Function::Atan => x.atan(),
        Function::Sinh => x.sinh(),
        Function::Cosh => x.cosh(),
        Function::Tanh => x.tanh(),
        Function::Asinh => x.asinh(),
        Function::Acosh => x.acosh(),
        Function::Atanh => x.atanh(),
        Function::Deg => x * 180.0 / std::f64::consts::PI,
        Function::Rad => x * std::f64::consts::PI / 180.0,
        _ => x,
    }
}
