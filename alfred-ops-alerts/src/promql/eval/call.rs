//! Functions over what expressions come to.

use super::context::Context;
use super::evaluate;
use super::plan::{CallPlan, PlanKind};
use super::table::{LabelTable, Row};
use super::vector::{Cell, Outcome, Vector};
use super::{calendar, classic, info, labelling, mathematics, native, sorting};
use crate::promql::ast::Function;
use crate::promql::{QueryError, SampleValue, Span};

pub(super) fn evaluate_call(
    call: &mut CallPlan,
    span: Span,
    context: &mut Context<'_>,
    now: i64,
) -> Result<Outcome, QueryError> {
    if let Some(scalar) = scalar(call, context, now)? {
        return Ok(Outcome::Scalar(scalar));
    }
    let vector = match call.function {
        Function::Vector => Vector::single(argument(call, 0, context, now)?.scalar()),
        Function::Timestamp => timestamp(call, context, now)?,
        Function::Absent => absent(call, context, now)?,
        Function::Sort | Function::SortDesc | Function::SortByLabel | Function::SortByLabelDesc => {
            sorting::sort(call, span, context, now)?
        }
        Function::LabelReplace => labelling::replace(call, context, now)?,
        Function::LabelJoin => labelling::join(call, context, now)?,
        Function::Info => info::enrich(call, context, now)?,
        Function::HistogramQuantile | Function::HistogramQuantiles | Function::HistogramFraction => {
            classic::evaluate_histogram(call, context, now)?
        }
        Function::HistogramAvg
        | Function::HistogramCount
        | Function::HistogramSum
        | Function::HistogramStddev
        | Function::HistogramStdvar => {
            let function = call.function;
            map(call, context, now, |value| Some(native::property(function, value.histogram()?)))?
        }
        function if calendar::is_part(function) => calendar::part(call, context, now)?,
        _ => mathematics::apply(call, context, now)?,
    };
    Ok(Outcome::Vector(vector))
}

pub(super) fn argument(
    call: &mut CallPlan,
    index: usize,
    context: &mut Context<'_>,
    now: i64,
) -> Result<Outcome, QueryError> {
    match call.arguments.get_mut(index) {
        Some(argument) => evaluate(argument, context, now),
        // How many there are was checked before.
        None => Ok(Outcome::Scalar(f64::NAN)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 milliseconds")]
fn scalar(call: &mut CallPlan, context: &mut Context<'_>, now: i64) -> Result<Option<f64>, QueryError> {
    let seconds = |millis: i64| millis as f64 / 1000.0;
    Ok(Some(match call.function {
        Function::Time => seconds(now),
        Function::Pi => std::f64::consts::PI,
        Function::Start => seconds(context.start),
        Function::End => seconds(context.end),
        Function::Step => seconds(context.step),
        Function::Range => seconds(context.end - context.start),
        Function::MinOf | Function::MaxOf => {
            let left = argument(call, 0, context, now)?.scalar();
            let right = argument(call, 1, context, now)?.scalar();
            match call.function {
                Function::MinOf => mathematics::least(left, right),
                _ => mathematics::greatest(left, right),
            }
        }
        Function::Scalar => {
            let vector = argument(call, 0, context, now)?.vector();
            let mut floats = vector.cells.iter().filter_map(|cell| cell.value.float());
            match (floats.next(), floats.next()) {
                (Some(only), None) => only,
                _ => f64::NAN,
            }
        }
        _ => return Ok(None),
    }))
}

/// The first argument's samples, each computed into another one or left out, without the metric's name.
pub(super) fn map(
    call: &mut CallPlan,
    context: &mut Context<'_>,
    now: i64,
    of: impl Fn(&SampleValue) -> Option<f64>,
) -> Result<Vector, QueryError> {
    let vector = argument(call, 0, context, now)?.vector();
    map_vector(context, vector, of)
}

pub(super) fn map_vector(
    context: &mut Context<'_>,
    mut vector: Vector,
    of: impl Fn(&SampleValue) -> Option<f64>,
) -> Result<Vector, QueryError> {
    vector.cells.retain_mut(|cell| match of(&cell.value) {
        Some(value) => {
            cell.value = value.into();
            true
        }
        None => false,
    });
    vector.nameless(context.delayed())
}

#[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 milliseconds")]
fn timestamp(call: &mut CallPlan, context: &mut Context<'_>, now: i64) -> Result<Vector, QueryError> {
    let seconds = |millis: i64| SampleValue::Float(millis as f64 / 1000.0);
    if let Some(PlanKind::Selector(selector)) = call.arguments.first_mut().map(|argument| &mut argument.kind)
    {
        // Of a plain selector it is the time at which the sample was taken.
        let (mut vector, times) = selector.latest(context, now)?;
        for (cell, millis) in vector.cells.iter_mut().zip(times) {
            cell.value = seconds(millis);
        }
        return vector.nameless(context.delayed());
    }
    let mut vector = argument(call, 0, context, now)?.vector();
    for cell in &mut vector.cells {
        cell.value = seconds(now);
    }
    vector.nameless(context.delayed())
}

fn absent(call: &mut CallPlan, context: &mut Context<'_>, now: i64) -> Result<Vector, QueryError> {
    if !argument(call, 0, context, now)?.vector().cells.is_empty() {
        return Ok(Vector::empty());
    }
    let labels = match call.arguments.first().map(|argument| &argument.kind) {
        Some(PlanKind::Selector(selector)) => labelling::absent_labels(&selector.selection.matchers),
        _ => alfred_ops_core::Labels::empty(),
    };
    Ok(Vector {
        table: LabelTable::new(vec![Row::new(labels)]),
        cells: vec![Cell { row: 0, value: 1.0.into() }],
    })
}
