//! Samples grouped.

use std::sync::Arc;

use alfred_ops_core::Labels;

use super::context::Context;
use super::evaluate;
use super::group_state::State;
use super::plan::AggregatePlan;
use super::ranking::choose;
use super::table::{Row, grouped, index, position};
use super::vector::{Cell, Vector};
use crate::promql::ast::{AggregateOp, Grouping};
use crate::promql::syntax::quote;
use crate::promql::value::format_general;
use crate::promql::{QueryError, Span};

pub(super) fn evaluate_aggregate(
    plan: &mut AggregatePlan,
    span: Span,
    context: &mut Context<'_>,
    now: i64,
) -> Result<Vector, QueryError> {
    if plan.op == AggregateOp::CountValues {
        return count_values(plan, context, now);
    }
    let parameter = match &mut plan.parameter {
        Some(parameter) => evaluate(parameter, context, now)?.scalar(),
        None => f64::NAN,
    };
    let parameter_span = plan.parameter.as_ref().map_or(span, |parameter| parameter.bare_span);
    check_parameter(plan.op, parameter, parameter_span, context)?;
    let of_span = plan.of.span;
    let vector = evaluate(&mut plan.of, context, now)?.vector();
    let (groups, of_row) = plan.groups.groups(&vector.table, &plan.grouping);
    if plan.op.chooses() {
        let mut chosen = choose(plan.op, parameter, &vector, &of_row, groups.rows.len(), span, context);
        chosen.dedup_by_key(|place| *place);
        let cells = chosen.into_iter().map(|place| vector.cells[place].clone()).collect();
        return Ok(Vector { table: vector.table, cells });
    }
    let mut states: Vec<Option<State>> = Vec::new();
    states.resize_with(groups.rows.len(), || None);
    for cell in &vector.cells {
        let state = &mut states[index(of_row[index(cell.row)])];
        let state = state.get_or_insert_with(|| State::new(plan.op));
        state.add(&cell.value, vector.row(cell), of_span, context);
    }
    let finished = states.into_iter().enumerate().filter_map(|(group, state)| {
        let value = state?.finish(parameter, of_span, context)?;
        Some(Cell { row: position(group), value })
    });
    let cells = finished.collect();
    Vector { table: groups, cells }.unique()
}

fn check_parameter(
    op: AggregateOp,
    value: f64,
    span: Span,
    context: &mut Context<'_>,
) -> Result<(), QueryError> {
    /// Beyond 64 bits no number of samples can be told.
    const COUNT_MAX: f64 = 9_223_372_036_854_775_807.0;
    match op {
        AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk => {
            if value.is_nan() {
                return Err(QueryError::evaluation("Parameter value is NaN"));
            }
            if value <= -COUNT_MAX {
                return Err(QueryError::evaluation(format!(
                    "Scalar value {} underflows int64",
                    format_general(value)
                )));
            }
            if value >= COUNT_MAX {
                return Err(QueryError::evaluation(format!(
                    "Scalar value {} overflows int64",
                    format_general(value)
                )));
            }
        }
        AggregateOp::LimitRatio if value.is_nan() => {
            return Err(QueryError::evaluation("Ratio value is NaN"));
        }
        AggregateOp::LimitRatio if value.abs() > 1.0 => {
            let capped = if value > 0.0 { "1" } else { "-1" };
            let value = format_general(value);
            context.warn(
                span,
                format!("ratio value should be between -1 and 1, got {value}, capping to {capped}"),
            );
        }
        AggregateOp::Quantile => check_quantile(value, span, context),
        _ => {}
    }
    Ok(())
}

pub(super) fn check_quantile(value: f64, span: Span, context: &mut Context<'_>) {
    if !(0.0..=1.0).contains(&value) {
        let value = format_general(value);
        context.warn(span, format!("quantile value should be between 0 and 1, got {value}"));
    }
}

fn count_values(plan: &mut AggregatePlan, context: &mut Context<'_>, now: i64) -> Result<Vector, QueryError> {
    let text = match &mut plan.parameter {
        Some(parameter) => evaluate(parameter, context, now)?.text(),
        None => Arc::from([]),
    };
    let label = std::str::from_utf8(&text).ok().filter(|label| !label.is_empty());
    let Some(label) = label else {
        return Err(QueryError::evaluation(format!("invalid label name {}", quote(&text))));
    };
    let vector = evaluate(&mut plan.of, context, now)?.vector();
    plan.rows.begin();
    let mut counts: Vec<(u32, f64)> = Vec::new();
    let mut known: std::collections::HashMap<u32, usize> = std::collections::HashMap::new();
    for cell in &vector.cells {
        let row = vector.row(cell);
        let labels = match &plan.grouping {
            // The new label is set before labels are chosen, so that it may take the place of one of them or be left out.
            Grouping::By(kept) => {
                let labels = row.labels.without(|name| !kept.iter().any(|label| label == name));
                labels.with(label, &cell.value.to_string())
            }
            without @ Grouping::Without(_) => {
                grouped(&row.labels.with(label, &cell.value.to_string()), without)
            }
        };
        let group = plan.rows.row(Row { labels, drop_name: row.drop_name });
        let place = *known.entry(group).or_insert_with(|| {
            counts.push((group, 0.0));
            counts.len() - 1
        });
        counts[place].1 += 1.0;
    }
    let cells = counts.into_iter().map(|(row, count)| Cell { row, value: count.into() }).collect();
    Vector { table: plan.rows.table(), cells }.unique()
}

/// The metric's name in quotes, for annotations.
pub(super) fn name_of(labels: &Labels) -> String {
    quote(labels.name().unwrap_or_default().as_bytes())
}
