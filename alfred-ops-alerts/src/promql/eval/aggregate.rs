//! Samples grouped.

use std::cmp::Ordering;
use std::sync::Arc;

use alfred_ops_core::Labels;
use alfred_ops_core::histogram::Histogram;

use super::context::Context;
use super::evaluate;
use super::plan::AggregatePlan;
use super::statistics::{Deviation, as_float, quantile};
use super::sum::{Mean, Sum};
use super::table::{Row, grouped, index, position};
use super::vector::{Cell, Vector};
use crate::promql::ast::{AggregateOp, Grouping};
use crate::promql::syntax::quote;
use crate::promql::value::format_general;
use crate::promql::{QueryError, SampleValue, Span};

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

/// The places of the samples that are chosen, group by group, the best first.
fn choose(
    op: AggregateOp,
    parameter: f64,
    vector: &Vector,
    of_row: &Arc<[u32]>,
    groups: usize,
    span: Span,
    context: &mut Context<'_>,
) -> Vec<usize> {
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); groups];
    let mut histograms = false;
    for (place, cell) in vector.cells.iter().enumerate() {
        let ranked = matches!(op, AggregateOp::Topk | AggregateOp::Bottomk);
        if ranked && cell.value.float().is_none() {
            histograms = true;
            continue;
        }
        members[index(of_row[index(cell.row)])].push(place);
    }
    let ratio = parameter.clamp(-1.0, 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a small number"
    )]
    let count = if parameter < 1.0 { 0 } else { parameter.min(1e9) as usize };
    if histograms && (count > 0 || op == AggregateOp::LimitRatio) {
        context.info(span, format!("ignored histogram in {} aggregation", op.name()));
    }
    let value = |place: &usize| vector.cells[*place].value.float().unwrap_or(f64::NAN);
    for group in &mut members {
        match op {
            AggregateOp::Topk => group.sort_by(|a, b| rank(value(b), value(a))),
            AggregateOp::Bottomk => group.sort_by(|a, b| rank_up(value(a), value(b))),
            AggregateOp::LimitRatio => {
                group.retain(|place| sampled(&vector.row(&vector.cells[*place]).labels, ratio));
            }
            _ => {}
        }
        if op != AggregateOp::LimitRatio {
            group.truncate(count);
        }
    }
    members.concat()
}

/// Ascending, NaN before all: a number is always better than none.
fn rank(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| right.is_nan().cmp(&left.is_nan()))
}

/// Ascending, NaN behind all.
fn rank_up(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

/// Whether a series belongs to the share of all series that `ratio` names; a negative one names the rest.
#[expect(clippy::cast_precision_loss, reason = "a hash needs no more than 53 bits here")]
fn sampled(labels: &Labels, ratio: f64) -> bool {
    let offset = labels.fingerprint() as f64 / u64::MAX as f64;
    if ratio >= 0.0 { offset < ratio } else { offset >= 1.0 + ratio }
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

/// What is known of a group.
enum State {
    Count(f64),
    Group,
    Extreme { op: AggregateOp, value: Option<f64> },
    Numbers { op: AggregateOp, values: Vec<f64> },
    Deviation { op: AggregateOp, deviation: Option<Deviation> },
    Sum { sum: Sum, floats: usize, histograms: Histograms },
    Mean { mean: Mean, floats: usize, histograms: Histograms },
}

/// The sum of a group's histograms.
#[derive(Default)]
struct Histograms {
    count: usize,
    sum: Option<Histogram>,
    incompatible: bool,
}

impl State {
    fn new(op: AggregateOp) -> Self {
        match op {
            AggregateOp::Count => Self::Count(0.0),
            AggregateOp::Max | AggregateOp::Min => Self::Extreme { op, value: None },
            AggregateOp::Quantile => Self::Numbers { op, values: Vec::new() },
            AggregateOp::Stddev | AggregateOp::Stdvar => Self::Deviation { op, deviation: None },
            AggregateOp::Sum => {
                Self::Sum { sum: Sum::default(), floats: 0, histograms: Histograms::default() }
            }
            AggregateOp::Avg => {
                Self::Mean { mean: Mean::default(), floats: 0, histograms: Histograms::default() }
            }
            _ => Self::Group,
        }
    }

    fn add(&mut self, value: &SampleValue, row: &Row, of_span: Span, context: &mut Context<'_>) {
        match (self, value) {
            (Self::Count(count), _) => *count += 1.0,
            (Self::Group, _) => {}
            (Self::Extreme { op, value: extreme }, SampleValue::Float(value)) => {
                let better = extreme.is_none_or(|known| {
                    known.is_nan() || if *op == AggregateOp::Max { known < *value } else { known > *value }
                });
                if better {
                    *extreme = Some(*value);
                }
            }
            (Self::Numbers { values, .. }, SampleValue::Float(value)) => values.push(*value),
            (Self::Deviation { deviation, .. }, SampleValue::Float(value)) => {
                deviation.get_or_insert_default().add(*value);
            }
            (Self::Extreme { op, .. } | Self::Numbers { op, .. } | Self::Deviation { op, .. }, _) => {
                context.info(of_span, format!("ignored histogram in {} aggregation", op.name()));
            }
            (Self::Sum { sum, floats, .. }, SampleValue::Float(value)) => {
                sum.add(*value);
                *floats += 1;
            }
            (Self::Mean { mean, floats, .. }, SampleValue::Float(value)) => {
                mean.add(*value);
                *floats += 1;
            }
            (
                Self::Sum { histograms, .. } | Self::Mean { histograms, .. },
                SampleValue::Histogram(histogram),
            ) => {
                histograms.add(histogram, row, of_span, context);
            }
        }
    }

    fn finish(self, parameter: f64, of_span: Span, context: &mut Context<'_>) -> Option<SampleValue> {
        match self {
            Self::Count(count) => Some(count.into()),
            Self::Group => Some(1.0.into()),
            Self::Extreme { value, .. } => value.map(Into::into),
            Self::Numbers { values, .. } if values.is_empty() => None,
            Self::Numbers { mut values, .. } => Some(quantile(parameter, &mut values).into()),
            Self::Deviation { op, deviation } => {
                let variance = deviation?.variance();
                Some(if op == AggregateOp::Stddev { variance.sqrt() } else { variance }.into())
            }
            Self::Sum { sum, floats, histograms } => {
                histograms.or_float(floats, sum.total(), of_span, context, false)
            }
            Self::Mean { mean, floats, histograms } => {
                histograms.or_float(floats, mean.value(), of_span, context, true)
            }
        }
    }
}

impl Histograms {
    fn add(&mut self, histogram: &Histogram, row: &Row, span: Span, context: &mut Context<'_>) {
        self.count += 1;
        let Some(sum) = &mut self.sum else {
            self.sum = Some(histogram.clone());
            return;
        };
        match sum.add(histogram) {
            None => {
                self.incompatible = true;
                let name = name_of(&row.labels);
                context.warn(
                    span,
                    format!("vector contains a mix of histograms with exponential and custom buckets schemas for metric name {name}"),
                );
            }
            Some(combined) => {
                if combined.hints_conflict {
                    context.warn(span, "conflicting counter resets during histogram aggregation");
                }
                if combined.bounds_matched {
                    context.info(span, "mismatched custom buckets were reconciled during aggregation");
                }
            }
        }
    }

    /// The histograms' value where there are only histograms, `number` where there are only numbers.
    fn or_float(
        self,
        floats: usize,
        number: f64,
        span: Span,
        context: &mut Context<'_>,
        mean: bool,
    ) -> Option<SampleValue> {
        let Some(mut sum) = self.sum else { return Some(number.into()) };
        if floats > 0 {
            context.warn(span, "encountered a mix of histograms and floats for aggregation");
            return None;
        }
        if self.incompatible {
            return None;
        }
        if mean {
            sum.divide(as_float(self.count));
        }
        sum.compact();
        Some(sum.into())
    }
}

/// The metric's name in quotes, for annotations.
pub(super) fn name_of(labels: &Labels) -> String {
    quote(labels.name().unwrap_or_default().as_bytes())
}
