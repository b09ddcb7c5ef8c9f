//! How fast something grew.

use std::sync::Arc;

use alfred_ops_core::Labels;
use alfred_ops_core::histogram::{Histogram, ResetHint};

use super::aggregate::name_of;
use super::context::Context;
use super::ranges::{Arguments, mixed};
use super::select::Stretch;
use super::statistics::as_float;
use crate::promql::ast::Function;
use crate::promql::{Growth, SampleValue};

/// Samples nearer to an edge of the range than this many average distances are taken to reach it.
const REACH: f64 = 1.1;

/// `rate`, `increase` and `delta`: the difference of the last and the first sample, resets of counters added,
/// extrapolated to the edges of the range where the samples come near to them. Source: Prometheus' documentation of `rate`
/// and its implementation, to which the answers are equal.
pub(super) fn extrapolated(
    arguments: &Arguments,
    context: &mut Context<'_>,
    labels: &Labels,
    stretch: &Stretch<'_>,
) -> Option<SampleValue> {
    let counts = arguments.function != Function::Delta;
    let histograms = &stretch.window.histograms;
    if !stretch.window.floats.is_empty() && !histograms.is_empty() {
        mixed(arguments, context, labels);
        return None;
    }
    if let Some(growth) = stretch.window.growth() {
        return of_growth(arguments, context, labels, &growth, (stretch.start, stretch.end)).map(Into::into);
    }
    let [(first, first_histogram), .., (last, _)] = histograms.as_slice() else { return None };
    let mut difference = histogram_difference(arguments, context, labels, histograms, counts)?;
    let from_zero = (difference.count > 0.0 && first_histogram.count >= 0.0)
        .then(|| first_histogram.count / difference.count)
        .filter(|_| counts);
    let range = (stretch.start, stretch.end);
    difference.multiply(factor(arguments.function, range, *first, *last, histograms.len(), from_zero));
    Some(difference.into())
}

/// The same of what is known of a series' growth within a range.
pub(super) fn of_growth(
    arguments: &Arguments,
    context: &mut Context<'_>,
    labels: &Labels,
    growth: &Growth,
    range: (i64, i64),
) -> Option<f64> {
    if growth.samples < 2 {
        return None;
    }
    let counts = arguments.function != Function::Delta;
    let (first, last) = (growth.first, growth.last);
    let mut difference = last.1 - first.1;
    let mut from_zero = None;
    if counts {
        hint_counter(arguments, context, labels);
        difference += growth.lost;
        from_zero = (difference > 0.0 && first.1 >= 0.0).then(|| first.1 / difference);
    }
    Some(difference * factor(arguments.function, range, first.0, last.0, growth.samples, from_zero))
}

/// What a counter lost by starting again from zero.
pub(super) fn resets(values: impl Iterator<Item = f64>) -> f64 {
    let mut before = f64::NEG_INFINITY;
    let mut lost = 0.0;
    for value in values {
        if value < before {
            lost += before;
        }
        before = value;
    }
    lost
}

/// By what the difference of samples is multiplied. `from_zero` is how many times the sampled interval a
/// counter would have needed to grow from zero to its first sample: it did not exist before.
#[expect(clippy::cast_precision_loss, reason = "differences of times are far below 2^53 milliseconds")]
fn factor(
    function: Function,
    (start, end): (i64, i64),
    first: i64,
    last: i64,
    samples: usize,
    from_zero: Option<f64>,
) -> f64 {
    let seconds = |millis: i64| millis as f64 / 1000.0;
    let (mut to_start, mut to_end) = (seconds(first - start), seconds(end - last));
    let sampled = seconds(last - first);
    let average = sampled / as_float(samples - 1);
    let near = average * REACH;
    if to_start >= near {
        to_start = average / 2.0;
    }
    if let Some(from_zero) = from_zero {
        to_start = to_start.min(sampled * from_zero);
    }
    if to_end >= near {
        to_end = average / 2.0;
    }
    let factor = (sampled + to_start + to_end) / sampled;
    if function == Function::Rate { factor / seconds(end - start) } else { factor }
}

fn hint_counter(arguments: &Arguments, context: &mut Context<'_>, labels: &Labels) {
    let Some(name) = labels.name() else { return };
    let counter = ["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix));
    if !counter && !matches!(labels.get("__type__"), Some("counter" | "histogram")) {
        let name = name_of(labels);
        context.info(
            arguments.span,
            format!("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name}"),
        );
    }
}

pub(super) fn histogram_difference(
    arguments: &Arguments,
    context: &mut Context<'_>,
    labels: &Labels,
    points: &[(i64, Arc<Histogram>)],
    counts: bool,
) -> Option<Histogram> {
    let [(_, first), .., (_, last)] = points else { return None };
    let name = || name_of(labels);
    if counts && points.iter().any(|(_, point)| point.reset_hint == ResetHint::Gauge) {
        context.warn(arguments.span, format!("this native histogram metric is not a counter: {}", name()));
    }
    let mut start = Arc::clone(first);
    if counts && points[1].1.is_reset_after(first) {
        // What was before the reset does not count, and its layout does not matter.
        let second = &points[1].1;
        start = Arc::new(match second.is_custom() {
            true => Histogram::custom(Arc::clone(&second.custom_bounds)),
            false => {
                Histogram { zero_threshold: second.zero_threshold, ..Histogram::exponential(second.schema) }
            }
        });
    }
    let differs = |point: &Histogram| point.is_custom() != start.is_custom();
    if differs(last) || (counts && points[1..].iter().any(|(_, point)| differs(point))) {
        context.warn(
            arguments.span,
            format!(
                "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {}",
                name()
            ),
        );
        return None;
    }
    let mut difference = Histogram::clone(last);
    if counts && let Some(coarsest) = points[1..].iter().map(|(_, point)| point.schema).min() {
        difference.reduce_to(coarsest.min(start.schema));
    }
    if difference.subtract(&start)?.bounds_matched {
        context.info(arguments.span, "mismatched custom buckets were reconciled during subtraction");
    }
    if counts {
        let mut before = &start;
        for (_, point) in &points[1..] {
            if point.is_reset_after(before) && difference.add(before)?.bounds_matched {
                context.info(arguments.span, "mismatched custom buckets were reconciled during addition");
            }
            before = point;
        }
    } else if first.reset_hint != ResetHint::Gauge || last.reset_hint != ResetHint::Gauge {
        context.warn(arguments.span, format!("this native histogram metric is not a gauge: {}", name()));
    }
    difference.reset_hint = ResetHint::Gauge;
    difference.compact();
    Some(difference)
}

/// `irate` and `idelta`: the last two samples.
#[expect(clippy::cast_precision_loss, reason = "differences of times are far below 2^53 milliseconds")]
pub(super) fn instant(
    arguments: &Arguments,
    context: &mut Context<'_>,
    labels: &Labels,
    stretch: &Stretch<'_>,
) -> Option<SampleValue> {
    let rate = arguments.function == Function::Irate;
    let mut last: Vec<(i64, SampleValue)> = Vec::with_capacity(4);
    last.extend(stretch.window.floats.iter().rev().take(2).map(|(millis, value)| (*millis, (*value).into())));
    let histograms = stretch.window.histograms.iter().rev().take(2);
    last.extend(histograms.map(|(millis, value)| (*millis, SampleValue::Histogram(Arc::clone(value)))));
    last.sort_by_key(|(millis, _)| std::cmp::Reverse(*millis));
    let [(end, now), (start, before), ..] = last.as_slice() else { return None };
    let seconds = (end - start) as f64 / 1000.0;
    if seconds <= 0.0 {
        return None;
    }
    match (before, now) {
        (SampleValue::Float(before), SampleValue::Float(now)) => {
            if rate {
                hint_counter(arguments, context, labels);
            }
            let difference = if rate && now < before { *now } else { now - before };
            Some(if rate { difference / seconds } else { difference }.into())
        }
        (SampleValue::Histogram(before), SampleValue::Histogram(now)) => {
            let name = name_of(labels);
            let gauge = |histogram: &Histogram| histogram.reset_hint == ResetHint::Gauge;
            if rate && (gauge(before) || gauge(now)) {
                context
                    .warn(arguments.span, format!("this native histogram metric is not a counter: {name}"));
            }
            let both = gauge(before) && gauge(now);
            if !rate && !both {
                context.warn(arguments.span, format!("this native histogram metric is not a gauge: {name}"));
            }
            let mut difference = Histogram::clone(now);
            if !(rate && now.is_reset_after(before)) {
                match difference.subtract(before) {
                    None => {
                        context.warn(
                            arguments.span,
                            format!("vector contains a mix of histograms with exponential and custom buckets schemas for metric name {name}"),
                        );
                        return None;
                    }
                    Some(combined) if combined.bounds_matched => {
                        context.info(
                            arguments.span,
                            "mismatched custom buckets were reconciled during subtraction",
                        );
                    }
                    Some(_) => {}
                }
            }
            if rate {
                difference.multiply(1.0 / seconds);
            }
            difference.reset_hint = ResetHint::Gauge;
            difference.compact();
            Some(difference.into())
        }
        _ => {
            mixed(arguments, context, labels);
            None
        }
    }
}
