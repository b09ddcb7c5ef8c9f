//! Quantiles and fractions of histograms, classic ones (a series per bucket) among them.

use std::sync::Arc;

use alfred_ops_core::Labels;
use alfred_ops_core::histogram::Histogram;

use super::aggregate::{check_quantile, name_of};
use super::call::argument;
use super::context::Context;
use super::native;
use super::plan::CallPlan;
use super::table::{Row, Table, index, position};
use super::vector::{Cell, Vector};
use crate::promql::ast::Function;
use crate::promql::syntax::quote;
use crate::promql::value::format_label_float;
use crate::promql::{QueryError, SampleValue, Span};

/// The label of a bucket's upper bound.
const BOUND: &str = "le";
/// Counts that differ by less are taken to be equal: sums of floats come to differ by rounding.
const TOLERANCE: f64 = 1e-12;

/// The buckets of one classic histogram: upper bounds and cumulated counts.
type Buckets = Vec<(f64, f64)>;

/// The histograms of a vector, by the labels that their buckets share.
struct Histograms {
    groups: Table,
    classic: Vec<Buckets>,
    native: Vec<Option<Arc<Histogram>>>,
}

pub(super) fn evaluate_histogram(
    call: &mut CallPlan,
    context: &mut Context<'_>,
    now: i64,
) -> Result<Vector, QueryError> {
    let function = call.function;
    let numbers_at: std::ops::Range<usize> = match function {
        Function::HistogramQuantile => 0..1,
        Function::HistogramFraction => 0..2,
        _ => 2..call.arguments.len(),
    };
    let vector_at = if function == Function::HistogramQuantiles { 0 } else { numbers_at.end };
    let mut numbers = Vec::with_capacity(numbers_at.len());
    for place in numbers_at {
        let number = argument(call, place, context, now)?.scalar();
        if function != Function::HistogramFraction {
            let span = call.arguments.get(place).map_or(Span::default(), |argument| argument.bare_span);
            check_quantile(number, span, context);
        }
        numbers.push(number);
    }
    let span = call.arguments.get(vector_at).map_or(Span::default(), |argument| argument.bare_span);
    let vector = argument(call, vector_at, context, now)?.vector();
    let mut histograms = Histograms::gather(call, &vector, span, context);
    if function == Function::HistogramQuantiles {
        let label = argument(call, 1, context, now)?.text();
        return quantiles(call, &mut histograms, &label, &numbers, span, context);
    }
    let mut cells = Vec::new();
    for group in 0..histograms.groups.rows.len() {
        let value = match (function, numbers.as_slice()) {
            (Function::HistogramFraction, [lower, upper]) => {
                histograms.fraction(group, *lower, *upper, span, context)
            }
            (_, [q, ..]) => histograms.quantile(group, *q, span, context),
            _ => None,
        };
        cells.extend(value.map(|value| Cell { row: position(group), value: value.into() }));
    }
    Vector { table: histograms.groups, cells }.nameless(context.delayed())
}

fn quantiles(
    call: &mut CallPlan,
    histograms: &mut Histograms,
    label: &[u8],
    numbers: &[f64],
    span: Span,
    context: &mut Context<'_>,
) -> Result<Vector, QueryError> {
    let Some(label) = std::str::from_utf8(label).ok().filter(|label| !label.is_empty()) else {
        return Err(QueryError::evaluation(format!("invalid label name {}", quote(label))));
    };
    let delayed = context.delayed();
    call.rows.begin();
    let mut cells = Vec::new();
    for group in 0..histograms.groups.rows.len() {
        for q in numbers {
            if let Some(value) = histograms.quantile(group, *q, span, context) {
                let row = histograms.groups.rows[group].nameless(delayed);
                let labels = row.labels.with(label, &format_label_float(*q));
                let row = call.rows.row(Row { labels, ..row });
                cells.push(Cell { row, value: value.into() });
            }
        }
    }
    Vector { table: call.rows.table(), cells }.unique_rows()
}

impl Histograms {
    fn gather(call: &mut CallPlan, vector: &Vector, span: Span, context: &mut Context<'_>) -> Self {
        let (groups, of_row) =
            call.groups.derive(&vector.table, |labels| labels.without(|name| name == BOUND));
        let mut classic: Vec<Buckets> = vec![Vec::new(); groups.rows.len()];
        let mut native = vec![None; groups.rows.len()];
        for cell in &vector.cells {
            let group = index(of_row[index(cell.row)]);
            match &cell.value {
                SampleValue::Histogram(histogram) => native[group] = Some(Arc::clone(histogram)),
                SampleValue::Float(count) => {
                    let labels = &vector.row(cell).labels;
                    let text = labels.get(BOUND).unwrap_or_default();
                    match parse_bound(text) {
                        Some(bound) => classic[group].push((bound, *count)),
                        None => {
                            let (text, name) = (quote(text.as_bytes()), name_of(labels));
                            context.warn(span, format!(
                                "bucket label \"le\" is missing or has a malformed value of {text} for metric name {name}"
                            ));
                        }
                    }
                }
            }
        }
        for group in 0..groups.rows.len() {
            if native[group].is_some() && !classic[group].is_empty() {
                let name = name_of(&groups.rows[group].labels);
                context.warn(
                    span,
                    format!("vector contains a mix of classic and native histograms for metric name {name}"),
                );
                native[group] = None;
                classic[group].clear();
            }
            prepare(&mut classic[group]);
        }
        Self { groups, classic, native }
    }

    fn quantile(&mut self, group: usize, q: f64, span: Span, context: &mut Context<'_>) -> Option<f64> {
        let labels = &self.groups.rows[group].labels;
        if let Some(histogram) = &self.native[group] {
            let value = native::quantile(q, histogram);
            if histogram.sum.is_nan() && (0.0..=1.0).contains(&q) {
                let what = if value.is_nan() { "result is NaN" } else { "result is skewed higher" };
                note_nan(&format!("quantile has NaN observations, {what}"), labels, span, context);
            }
            return Some(value);
        }
        let buckets = &mut self.classic[group];
        if buckets.is_empty() {
            return None;
        }
        // Where the buckets' counts are not looked at, there is nothing to tell of them.
        let endless = buckets.last().is_some_and(|(bound, _)| *bound == f64::INFINITY);
        let forced = endless && (0.0..=1.0).contains(&q) && make_monotonic(buckets);
        if forced {
            let name = name_of(labels);
            context.info(span, format!(
                "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) for metric name {name}"
            ));
        }
        Some(bucket_quantile(q, buckets))
    }

    fn fraction(
        &self,
        group: usize,
        lower: f64,
        upper: f64,
        span: Span,
        context: &mut Context<'_>,
    ) -> Option<f64> {
        if let Some(histogram) = &self.native[group] {
            if histogram.sum.is_nan() {
                let labels = &self.groups.rows[group].labels;
                note_nan(
                    "fraction has NaN observations, which are excluded from all fractions",
                    labels,
                    span,
                    context,
                );
            }
            return Some(native::fraction(lower, upper, histogram));
        }
        let buckets = &self.classic[group];
        (!buckets.is_empty()).then(|| bucket_fraction(lower, upper, buckets))
    }
}

fn note_nan(what: &str, labels: &Labels, span: Span, context: &mut Context<'_>) {
    let name = name_of(labels);
    context.info(span, format!("input to histogram_{what} for metric name {name}"));
}

/// A bound as Go reads floats.
fn parse_bound(text: &str) -> Option<f64> {
    let bound: f64 = text.parse().ok()?;
    (!text.is_empty()).then_some(bound)
}

/// Sorts buckets and adds up those with equal bounds.
fn prepare(buckets: &mut Buckets) {
    buckets.sort_by(|left, right| left.0.total_cmp(&right.0));
    buckets.dedup_by(|later, earlier| {
        #[expect(clippy::float_cmp, reason = "the same bound, written in two ways")]
        let same = later.0 == earlier.0;
        if same {
            earlier.1 += later.1;
        }
        same
    });
}

/// Takes away what goes down from bucket to bucket; whether that was more than rounding.
fn make_monotonic(buckets: &mut [(f64, f64)]) -> bool {
    let mut forced = false;
    let mut before = buckets.first().map_or(0.0, |bucket| bucket.1);
    for (_, count) in buckets.iter_mut().skip(1) {
        if nearly_equal(before, *count) {
            *count = before;
        } else if *count < before {
            *count = before;
            forced = true;
        } else {
            before = *count;
        }
    }
    forced
}

fn nearly_equal(left: f64, right: f64) -> bool {
    let (sum, difference) = (left.abs() + right.abs(), (left - right).abs());
    if difference == 0.0 {
        return true;
    }
    if left == 0.0 || right == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

/// The quantile of prepared buckets, interpolated linearly within its bucket.
fn bucket_quantile(q: f64, buckets: &[(f64, f64)]) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let [inner @ .., (last_bound, observations)] = buckets else { return f64::NAN };
    if *last_bound != f64::INFINITY || inner.is_empty() || *observations == 0.0 {
        return f64::NAN;
    }
    let mut rank = q * observations;
    // Counts that are no numbers reach no rank.
    let reached = |count: f64| count >= rank;
    let place = inner.iter().position(|(_, count)| reached(*count)).unwrap_or(inner.len());
    let Some((end, count)) = inner.get(place).copied() else {
        return inner.last().map_or(f64::NAN, |bucket| bucket.0);
    };
    if place == 0 && end <= 0.0 {
        return end;
    }
    let (start, before) =
        place.checked_sub(1).and_then(|before| inner.get(before)).copied().unwrap_or((0.0, 0.0));
    rank -= before;
    start + (end - start) * (rank / (count - before))
}

/// The share of observations between `lower` and `upper`.
fn bucket_fraction(lower: f64, upper: f64, buckets: &[(f64, f64)]) -> f64 {
    let Some((last_bound, all)) = buckets.last().copied() else { return f64::NAN };
    if last_bound != f64::INFINITY || all == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let (mut rank, mut lower_rank, mut upper_rank) = (0.0, None, None);
    let mut start = f64::NEG_INFINITY;
    for (place, (end, count)) in buckets.iter().copied().enumerate() {
        for (bound, found) in [(lower, &mut lower_rank), (upper, &mut upper_rank)] {
            if found.is_some() {
                continue;
            }
            if start >= bound {
                *found = Some(rank);
            } else if end > bound {
                let from = if place == 0 && end > 0.0 { 0.0 } else { start };
                let part =
                    if from == f64::NEG_INFINITY { 1.0 } else { ((bound - from) / (end - from)).max(0.0) };
                *found = Some(rank + (count - rank) * part);
            }
        }
        (rank, start) = (count, end);
    }
    let reached = |rank: Option<f64>| rank.unwrap_or(all).min(all);
    (reached(upper_rank) - reached(lower_rank)) / all
}
