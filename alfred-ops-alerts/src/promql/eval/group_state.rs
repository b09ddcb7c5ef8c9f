//! What is known of a group of samples.

use alfred_ops_core::histogram::Histogram;

use super::aggregate::name_of;
use super::context::Context;
use super::statistics::{Deviation, as_float, quantile};
use super::sum::{Mean, Sum};
use super::table::Row;
use crate::promql::ast::AggregateOp;
use crate::promql::{SampleValue, Span};

/// What is known of a group.
pub(super) enum State {
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
pub(super) struct Histograms {
    count: usize,
    sum: Option<Histogram>,
    incompatible: bool,
}

impl State {
    pub(super) fn new(op: AggregateOp) -> Self {
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

    pub(super) fn add(&mut self, value: &SampleValue, row: &Row, of_span: Span, context: &mut Context<'_>) {
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

    pub(super) fn finish(
        self,
        parameter: f64,
        of_span: Span,
        context: &mut Context<'_>,
    ) -> Option<SampleValue> {
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
