//! How fast something grew between edges that have values: `anchored` and `smoothed`.

use std::sync::Arc;

use alfred_ops_core::Labels;
use alfred_ops_core::histogram::Histogram;

use super::context::Context;
use super::extrapolation::{histogram_difference, resets};
use super::ranges::{Arguments, mixed};
use super::select::{Stretch, interpolate};
use crate::promql::SampleValue;
use crate::promql::ast::{Boundary, Function};

/// `rate`, `increase` and `delta` of a range whose edges have values: `anchored` or `smoothed`.
pub(super) fn extended(
    arguments: &Arguments,
    boundary: Boundary,
    context: &mut Context<'_>,
    labels: &Labels,
    stretch: &Stretch<'_>,
) -> Option<SampleValue> {
    let counts = arguments.function != Function::Delta;
    let smoothed = boundary == Boundary::Smoothed;
    #[expect(clippy::cast_precision_loss, reason = "differences of times are far below 2^53 milliseconds")]
    let seconds = (stretch.end - stretch.start) as f64 / 1000.0;
    let divisor = if arguments.function == Function::Rate { seconds } else { 1.0 };
    let (floats, histograms) = (&stretch.window.floats, &stretch.window.histograms);
    match (floats.is_empty(), histograms.is_empty()) {
        (false, false) => {
            mixed(arguments, context, labels);
            None
        }
        (false, true) => {
            let edges = Edges::find(floats, stretch, smoothed)?;
            let (left, right) = edges.values(
                floats,
                stretch,
                smoothed,
                |before, after, at, is_left| Some(edge(*before, *after, at, counts, is_left)),
                |point| point.1,
            )?;
            let mut difference = right - left;
            if counts {
                let inner = edges.inner(floats, stretch).map(|(_, value)| *value);
                difference += resets(std::iter::once(left).chain(inner).chain([right]));
            }
            Some((difference / divisor).into())
        }
        (true, false) => {
            let edges = Edges::find(histograms, stretch, smoothed)?;
            let (left, right) = edges.values(
                histograms,
                stretch,
                smoothed,
                |before, after, at, is_left| edge_histogram(before, after, at, counts, is_left),
                |point| Histogram::clone(&point.1),
            )?;
            let mut points = vec![(stretch.start, Arc::new(left))];
            points.extend(edges.inner(histograms, stretch).cloned());
            points.push((stretch.end, Arc::new(right)));
            let mut difference = histogram_difference(arguments, context, labels, &points, counts)?;
            difference.divide(divisor);
            Some(difference.into())
        }
        (true, true) => None,
    }
}

/// The samples that stand for the edges of a range.
struct Edges {
    first: usize,
    last: usize,
}

impl Edges {
    /// The last sample not after the beginning stands for it; for the end the last sample, or, smoothed, the first
    /// one not before it.
    fn find<V>(points: &[(i64, V)], stretch: &Stretch<'_>, smoothed: bool) -> Option<Self> {
        let first = points.partition_point(|(millis, _)| *millis <= stretch.start).saturating_sub(1);
        let final_one = points.len().checked_sub(1)?;
        let last = match smoothed {
            true => points.partition_point(|(millis, _)| *millis < stretch.end).min(final_one),
            false => final_one,
        };
        (points.get(last)?.0 > stretch.start).then_some(Self { first, last })
    }

    /// The values at both edges.
    fn values<V, T>(
        &self,
        points: &[(i64, V)],
        stretch: &Stretch<'_>,
        smoothed: bool,
        between: impl Fn(&(i64, V), &(i64, V), i64, bool) -> Option<T>,
        of: impl Fn(&(i64, V)) -> T,
    ) -> Option<(T, T)> {
        let first = points.get(self.first)?;
        let left = match points.get(self.first + 1) {
            Some(after) if smoothed && first.0 < stretch.start => between(first, after, stretch.start, true)?,
            _ => of(first),
        };
        let last = points.get(self.last)?;
        let right = match self.last.checked_sub(1).and_then(|before| points.get(before)) {
            Some(before) if smoothed && last.0 > stretch.end => between(before, last, stretch.end, false)?,
            _ => of(last),
        };
        Some((left, right))
    }

    /// The samples between the edges.
    fn inner<'p, V>(
        &self,
        points: &'p [(i64, V)],
        stretch: &Stretch<'_>,
    ) -> impl Iterator<Item = &'p (i64, V)> {
        let (start, end) = (stretch.start, stretch.end);
        points.iter().filter(move |(millis, _)| *millis > start && *millis < end)
    }
}

/// The value at an edge between two samples. A counter that started anew between them did so from zero.
fn edge(before: (i64, f64), after: (i64, f64), at: i64, counts: bool, is_left: bool) -> f64 {
    if counts && after.1 < before.1 {
        let grown = interpolate((before.0, 0.0), after, at);
        return if is_left { grown } else { before.1 + grown };
    }
    interpolate(before, after, at)
}

/// The same of histograms.
fn edge_histogram(
    before: &(i64, Arc<Histogram>),
    after: &(i64, Arc<Histogram>),
    at: i64,
    counts: bool,
    is_left: bool,
) -> Option<Histogram> {
    let share = interpolate((before.0, 0.0), (after.0, 1.0), at);
    let mut grown = Histogram::clone(&after.1);
    let reset = counts && after.1.is_reset_after(&before.1);
    if !reset {
        grown.subtract(&before.1)?;
    }
    grown.multiply(share);
    if !(reset && is_left) {
        grown.add(&before.1)?;
    }
    grown.reset_hint = before.1.reset_hint;
    Some(grown)
}
