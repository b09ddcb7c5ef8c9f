//! Functions that reduce the samples of a range to one value.

use std::sync::Arc;

use alfred_ops_core::Labels;

use super::aggregate::name_of;
use super::context::Context;
use super::select::Stretch;
use super::statistics::{Deviation, as_float, quantile};
use super::sum::{Mean, Sum};
use crate::promql::ast::Function;
use crate::promql::{QueryError, SampleValue, Span, Window};

/// A function and what it is told besides the range.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arguments {
    pub(super) function: Function,
    numbers: [f64; 2],
    /// Where the range stands.
    pub(super) span: Span,
    now: i64,
}

impl Arguments {
    pub(super) fn new(
        function: Function,
        numbers: [f64; 2],
        span: Span,
        now: i64,
    ) -> Result<Self, QueryError> {
        if function == Function::DoubleExponentialSmoothing {
            let outside = |value: f64| value.is_nan() || value <= 0.0 || value >= 1.0;
            for (number, name) in numbers.into_iter().zip(["smoothing", "trend"]) {
                if outside(number) {
                    return Err(QueryError::evaluation(format!(
                        "invalid {name} factor. Expected: 0 < {} < 1, got: {number:.6}",
                        if name == "smoothing" { "sf" } else { "tf" }
                    )));
                }
            }
        }
        Ok(Self { function, numbers, span, now })
    }
}

/// Notes that a range holds numbers and histograms.
pub(super) fn mixed(arguments: &Arguments, context: &mut Context<'_>, labels: &Labels) {
    let name = name_of(labels);
    context
        .warn(arguments.span, format!("encountered a mix of histograms and floats for metric name {name}"));
}

fn ignored(arguments: &Arguments, context: &mut Context<'_>, labels: &Labels) {
    let name = name_of(labels);
    let text =
        format!("ignored histograms in a range containing both floats and histograms for metric name {name}");
    context.info(arguments.span, text);
}

/// The samples of an `anchored` range: the last one not after its beginning stands there.
pub(super) fn anchored(stretch: &Stretch<'_>) -> Window {
    let floats = &stretch.window.floats;
    let first = floats.partition_point(|(millis, _)| *millis <= stretch.start).saturating_sub(1);
    let kept = floats.get(first..).unwrap_or_default();
    if kept.last().is_none_or(|(millis, _)| *millis <= stretch.start) {
        return Window::default();
    }
    Window { floats: kept.to_vec(), histograms: Vec::new() }
}

/// The value of one series, whose range holds at least one sample.
pub(super) fn reduce(
    arguments: &Arguments,
    context: &mut Context<'_>,
    labels: &Labels,
    stretch: &Stretch<'_>,
) -> Option<SampleValue> {
    let window = stretch.window;
    let (floats, histograms) = (window.floats.as_slice(), window.histograms.as_slice());
    let both = !floats.is_empty() && !histograms.is_empty();
    if window.is_empty() {
        return None;
    }
    match arguments.function {
        Function::CountOverTime => return Some(as_float(window.len()).into()),
        Function::PresentOverTime => return Some(1.0.into()),
        Function::LastOverTime => return merged(window).pop().map(|(_, value)| value),
        Function::FirstOverTime => return merged(window).into_iter().next().map(|(_, value)| value),
        Function::TsOfLastOverTime => {
            return merged(window).last().map(|(millis, _)| seconds(*millis).into());
        }
        Function::TsOfFirstOverTime => {
            return merged(window).first().map(|(millis, _)| seconds(*millis).into());
        }
        Function::Changes => return Some(changes(window).into()),
        Function::Resets => return Some(reset_count(window).into()),
        Function::SumOverTime | Function::AvgOverTime if both => {
            mixed(arguments, context, labels);
            return None;
        }
        Function::SumOverTime | Function::AvgOverTime if !histograms.is_empty() => {
            return sum_of_histograms(arguments, context, labels, histograms);
        }
        _ => {}
    }
    if floats.is_empty() {
        return None;
    }
    if both {
        ignored(arguments, context, labels);
    }
    numbers(arguments, floats).map(Into::into)
}

fn numbers(arguments: &Arguments, floats: &[(i64, f64)]) -> Option<f64> {
    let values = || floats.iter().map(|(_, value)| *value);
    let better = |keep: fn(f64, f64) -> bool| {
        values().reduce(|best, value| if keep(value, best) || best.is_nan() { value } else { best })
    };
    let time_of_best = |keep: fn(f64, f64) -> bool| {
        let best = floats
            .iter()
            .copied()
            .reduce(|best, point| if keep(point.1, best.1) || best.1.is_nan() { point } else { best });
        best.map(|(millis, _)| seconds(millis))
    };
    match arguments.function {
        Function::SumOverTime => {
            let mut sum = Sum::default();
            values().for_each(|value| sum.add(value));
            Some(sum.total())
        }
        Function::AvgOverTime => {
            let mut mean = Mean::default();
            values().for_each(|value| mean.add(value));
            Some(mean.value())
        }
        Function::MaxOverTime => better(|value, best| value > best),
        Function::MinOverTime => better(|value, best| value < best),
        Function::TsOfMaxOverTime => time_of_best(|value, best| value >= best),
        Function::TsOfMinOverTime => time_of_best(|value, best| value <= best),
        Function::StddevOverTime | Function::StdvarOverTime => {
            let mut deviation = Deviation::default();
            values().for_each(|value| deviation.add(value));
            let variance = deviation.variance();
            Some(if arguments.function == Function::StddevOverTime { variance.sqrt() } else { variance })
        }
        Function::QuantileOverTime => Some(quantile(arguments.numbers[0], &mut values().collect::<Vec<_>>())),
        Function::MadOverTime if values().any(f64::is_nan) => Some(f64::NAN),
        Function::MadOverTime => {
            let median = quantile(0.5, &mut values().collect::<Vec<_>>());
            Some(quantile(0.5, &mut values().map(|value| (value - median).abs()).collect::<Vec<_>>()))
        }
        Function::Deriv if floats.len() >= 2 => Some(line(floats, floats[0].0).0),
        Function::PredictLinear if floats.len() >= 2 => {
            let (slope, intercept) = line(floats, arguments.now);
            Some(slope * arguments.numbers[0] + intercept)
        }
        Function::DoubleExponentialSmoothing => smooth(floats, arguments.numbers),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 milliseconds")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// All samples in order.
fn merged(window: &Window) -> Vec<(i64, SampleValue)> {
    let floats = window.floats.iter().map(|(millis, value)| (*millis, SampleValue::Float(*value)));
    let histograms =
        window.histograms.iter().map(|(millis, value)| (*millis, SampleValue::Histogram(Arc::clone(value))));
    let mut merged: Vec<_> = floats.chain(histograms).collect();
    if !window.histograms.is_empty() {
        merged.sort_by_key(|(millis, _)| *millis);
    }
    merged
}

fn changes(window: &Window) -> f64 {
    let differ = |pair: &[(i64, SampleValue)]| match (&pair[0].1, &pair[1].1) {
        #[expect(clippy::float_cmp, reason = "any change counts")]
        (SampleValue::Float(before), SampleValue::Float(now)) => {
            now != before && !(now.is_nan() && before.is_nan())
        }
        (SampleValue::Histogram(before), SampleValue::Histogram(now)) => before != now,
        _ => true,
    };
    as_float(merged(window).windows(2).filter(|pair| differ(pair)).count())
}

fn reset_count(window: &Window) -> f64 {
    let reset = |pair: &[(i64, SampleValue)]| match (&pair[0].1, &pair[1].1) {
        (SampleValue::Float(before), SampleValue::Float(now)) => now < before,
        (SampleValue::Histogram(before), SampleValue::Histogram(now)) => now.is_reset_after(before),
        _ => true,
    };
    as_float(merged(window).windows(2).filter(|pair| reset(pair)).count())
}

fn sum_of_histograms(
    arguments: &Arguments,
    context: &mut Context<'_>,
    labels: &Labels,
    histograms: &[(i64, Arc<alfred_ops_core::histogram::Histogram>)],
) -> Option<SampleValue> {
    let (first, rest) = histograms.split_first()?;
    let mut sum = alfred_ops_core::histogram::Histogram::clone(&first.1);
    for (_, histogram) in rest {
        let Some(combined) = sum.add(histogram) else {
            let name = name_of(labels);
            context.warn(
                arguments.span,
                format!("vector contains a mix of histograms with exponential and custom buckets schemas for metric name {name}"),
            );
            return None;
        };
        if combined.hints_conflict {
            context.warn(arguments.span, "conflicting counter resets during histogram aggregation");
        }
        if combined.bounds_matched {
            context.info(arguments.span, "mismatched custom buckets were reconciled during aggregation");
        }
    }
    if arguments.function == Function::AvgOverTime {
        sum.divide(as_float(histograms.len()));
    }
    sum.compact();
    Some(sum.into())
}

/// The line of least squares: slope per second, and value at `origin`.
fn line(floats: &[(i64, f64)], origin: i64) -> (f64, f64) {
    let first = floats[0].1;
    #[expect(
        clippy::float_cmp,
        reason = "a line through equal values is flat, whatever rounding would make of it"
    )]
    if floats.iter().all(|(_, value)| *value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let (mut sum_x, mut sum_y, mut sum_xy, mut sum_x2) = <(Sum, Sum, Sum, Sum)>::default();
    for (millis, value) in floats {
        let x = seconds(millis - origin);
        sum_x.add(x);
        sum_y.add(*value);
        sum_xy.add(x * value);
        sum_x2.add(x * x);
    }
    let count = as_float(floats.len());
    let (sum_x, sum_y) = (sum_x.total(), sum_y.total());
    let covariance = sum_xy.total() - sum_x * sum_y / count;
    let variance = sum_x2.total() - sum_x * sum_x / count;
    let slope = covariance / variance;
    (slope, sum_y / count - slope * sum_x / count)
}

/// Holt's double exponential smoothing.
fn smooth(floats: &[(i64, f64)], [smoothing, trend_factor]: [f64; 2]) -> Option<f64> {
    let [(_, first), (_, second), ..] = floats else { return None };
    let (mut before, mut level, mut trend) = (0.0, *first, second - first);
    for (place, (_, value)) in floats.iter().enumerate().skip(1) {
        // At the second sample the trend is still the difference of the first two.
        if place > 1 {
            trend = trend_factor * (level - before) + (1.0 - trend_factor) * trend;
        }
        before = level;
        level = smoothing * value + (1.0 - smoothing) * (level + trend);
    }
    Some(level)
}
