//! Evaluates queries.
//!
//! An expression is evaluated at one time at a time; a range query evaluates it at each of its steps. What is
//! worked out about labels is kept in the plan (see `table`), so that repeated evaluations compute values only.

mod aggregate;
mod binary;
mod calendar;
mod call;
mod classic;
mod context;
mod edges;
mod element;
mod extrapolation;
mod group_state;
mod info;
mod join;
mod labelling;
mod mathematics;
mod native;
mod plan;
mod query_plan;
mod ranges;
mod ranking;
mod select;
mod selections;
mod share;
mod sorting;
mod statistics;
mod sum;
mod table;
#[cfg(test)]
mod tests;
mod trim;
mod vector;
mod window;

pub use query_plan::QueryPlan;
pub(crate) use selections::Selections;

use context::Context;
use plan::{Plan, PlanKind};
use vector::{Outcome, Vector};

use super::QueryError;

/// Evaluates an expression at `now`.
fn evaluate(plan: &mut Plan, context: &mut Context<'_>, now: i64) -> Result<Outcome, QueryError> {
    Ok(match &mut plan.kind {
        PlanKind::Number(number) => Outcome::Scalar(*number),
        PlanKind::Text(text) => Outcome::Text(std::sync::Arc::clone(text)),
        PlanKind::Selector(selector) => Outcome::Vector(selector.latest(context, now)?.0),
        // Ranges stand in functions, and the types were checked.
        PlanKind::Matrix(_) => Outcome::Vector(Vector::empty()),
        PlanKind::Negate(of) => match evaluate(of, context, now)? {
            Outcome::Scalar(value) => Outcome::Scalar(-value),
            outcome => {
                let mut vector = outcome.vector();
                for cell in &mut vector.cells {
                    element::negate(&mut cell.value);
                }
                Outcome::Vector(vector.nameless(context.delayed())?)
            }
        },
        PlanKind::Binary(plan_of_both) => {
            binary::evaluate_binary(plan_of_both, plan.bare_span, context, now)?
        }
        PlanKind::Aggregate(aggregate) => {
            Outcome::Vector(aggregate::evaluate_aggregate(aggregate, plan.bare_span, context, now)?)
        }
        PlanKind::Window(window) => Outcome::Vector(window::evaluate_window(window, context, now)?),
        PlanKind::Call(call) => call::evaluate_call(call, plan.bare_span, context, now)?,
    })
}
