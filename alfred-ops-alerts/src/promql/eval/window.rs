//! Functions over ranges.

use alfred_ops_core::Labels;

use super::aggregate::check_quantile;
use super::context::Context;
use super::edges::extended;
use super::evaluate;
use super::extrapolation::{extrapolated, instant, of_growth};
use super::labelling::absent_labels;
use super::plan::{MatrixPlan, WindowPlan};
use super::ranges::{self, Arguments};
use super::select::{Stretch, shifted};
use super::table::{LabelTable, Row, Table, index};
use super::vector::{Cell, Vector};
use crate::promql::ast::{Boundary, Function};
use crate::promql::{QueryError, SampleValue, Window};

pub(super) fn evaluate_window(
    plan: &mut WindowPlan,
    context: &mut Context<'_>,
    now: i64,
) -> Result<Vector, QueryError> {
    let boundary = plan.matrix.boundary();
    check_boundary(plan.function, boundary)?;
    let mut numbers = [f64::NAN; 2];
    for (number, argument) in numbers.iter_mut().zip(&mut plan.arguments) {
        *number = evaluate(argument, context, now)?.scalar();
    }
    let mut span = plan.matrix_span;
    if plan.function == Function::QuantileOverTime
        && let Some(argument) = plan.arguments.first()
    {
        // Prometheus lays what it tells of a function to its first argument, which here is not the range.
        span = argument.bare_span;
    }
    let arguments = Arguments::new(plan.function, numbers, span, now)?;
    if plan.function == Function::AbsentOverTime {
        return absent_over_time(plan, context, now);
    }
    let mut cells = Vec::new();
    if let Some(vector) = grown(plan, &arguments, context, now)? {
        return vector.nameless(context.delayed());
    }
    let function = plan.function;
    let table = plan.matrix.stretches(context, now, |context, table, stretch| {
        let labels = &table.rows[index(stretch.row)].labels;
        if function == Function::QuantileOverTime && !stretch.window.floats.is_empty() {
            check_quantile(numbers[0], span, context);
        }
        let value = reduce(&arguments, boundary, context, labels, &stretch)?;
        cells.extend(value.map(|value| Cell { row: stretch.row, value }));
        Ok(())
    })?;
    let vector = Vector { table, cells };
    if matches!(plan.function, Function::LastOverTime | Function::FirstOverTime) {
        return vector.unique();
    }
    vector.nameless(context.delayed())
}

/// `rate`, `increase` and `delta` of plain ranges, for which the source need not hand out all samples; `None` for
/// anything else.
fn grown(
    plan: &mut WindowPlan,
    arguments: &Arguments,
    context: &mut Context<'_>,
    now: i64,
) -> Result<Option<Vector>, QueryError> {
    let function = arguments.function;
    if !matches!(function, Function::Rate | Function::Increase | Function::Delta) {
        return Ok(None);
    }
    let MatrixPlan::Range { selector, range } = &mut plan.matrix else { return Ok(None) };
    if selector.boundary != Boundary::Plain {
        return Ok(None);
    }
    let end = shifted(&selector.shift, context, now)?;
    let start = end.saturating_sub(range.evaluate_positive(&context.durations())?);
    let selected = selector.selection.selected(context);
    let table = Table::clone(&selected.table);
    let mut cells = Vec::with_capacity(selected.series.len());
    let mut window = Window::default();
    for (row, series) in (0..).zip(&selected.series) {
        let labels = &table.rows[index(row)].labels;
        let value = if let Some(growth) = context.source.growth(*series, start, end) {
            context.count(growth.samples)?;
            of_growth(arguments, context, labels, &growth, (start, end)).map(SampleValue::Float)
        } else {
            window.clear();
            context.source.window(*series, start, end, &mut window);
            context.count(window.len())?;
            extrapolated(arguments, context, labels, &Stretch { row, window: &window, start, end })
        };
        cells.extend(value.map(|value| Cell { row, value }));
    }
    Ok(Some(Vector { table, cells }))
}

fn check_boundary(function: Function, boundary: Boundary) -> Result<(), QueryError> {
    let smoothed = [Function::Delta, Function::Increase, Function::Rate];
    let anchored = [Function::Changes, Function::Delta, Function::Increase, Function::Rate, Function::Resets];
    let (word, allowed): (_, &[Function]) = match boundary {
        Boundary::Plain => return Ok(()),
        Boundary::Anchored => ("anchored", &anchored),
        Boundary::Smoothed => ("smoothed", &smoothed),
    };
    if allowed.contains(&function) {
        return Ok(());
    }
    let names: Vec<&str> = allowed.iter().map(|function| function.name()).collect();
    let message =
        format!("{word} modifier can only be used with: {} - not with {}", names.join(", "), function.name());
    Err(QueryError::evaluation(message))
}

/// The value of one series.
fn reduce(
    arguments: &Arguments,
    boundary: Boundary,
    context: &mut Context<'_>,
    labels: &Labels,
    stretch: &Stretch<'_>,
) -> Result<Option<SampleValue>, QueryError> {
    Ok(match arguments.function {
        Function::Rate | Function::Increase | Function::Delta => match boundary {
            Boundary::Plain => extrapolated(arguments, context, labels, stretch),
            Boundary::Anchored | Boundary::Smoothed => {
                extended(arguments, boundary, context, labels, stretch)
            }
        },
        Function::Changes | Function::Resets if boundary == Boundary::Anchored => {
            let window = ranges::anchored(stretch);
            let stretch = Stretch { window: &window, ..*stretch };
            ranges::reduce(arguments, context, labels, &stretch)
        }
        Function::Irate | Function::Idelta => instant(arguments, context, labels, stretch),
        _ => ranges::reduce(arguments, context, labels, stretch),
    })
}

fn absent_over_time(
    plan: &mut WindowPlan,
    context: &mut Context<'_>,
    now: i64,
) -> Result<Vector, QueryError> {
    let mut present = false;
    plan.matrix.stretches(context, now, |_, _: &Table, _| {
        present = true;
        Ok(())
    })?;
    if present {
        return Ok(Vector::empty());
    }
    let labels = plan.matrix.matchers().map(absent_labels).unwrap_or_default();
    Ok(Vector {
        table: LabelTable::new(vec![Row::new(labels)]),
        cells: vec![Cell { row: 0, value: 1.0.into() }],
    })
}
