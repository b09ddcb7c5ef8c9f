//! Series and their samples at a time.

use std::sync::Arc;

use alfred_ops_core::histogram::ResetHint;

use super::context::Context;
use super::evaluate;
use super::plan::{MatrixPlan, Plan, SelectorPlan};
use super::table::{Interner, Table, index, position};
use super::vector::{Cell, Vector};
use crate::promql::ast::{At, Boundary, TimeShift};
use crate::promql::{QueryError, SampleValue, SeriesId, Window};

impl SelectorPlan {
    /// The latest sample of each series, with its own time.
    pub(super) fn latest(
        &mut self,
        context: &mut Context<'_>,
        now: i64,
    ) -> Result<(Vector, Vec<i64>), QueryError> {
        let at = shifted(&self.shift, context, now)?;
        let lookback = context.lookback();
        let boundary = self.boundary;
        let selected = self.selection.selected(context);
        let mut times = Vec::with_capacity(selected.series.len());
        let mut cells = Vec::with_capacity(selected.series.len());
        for (row, series) in selected.series.iter().enumerate() {
            let found = match boundary {
                Boundary::Smoothed => smoothed(context, *series, at, lookback),
                Boundary::Plain | Boundary::Anchored => {
                    context.source.latest(*series, at.saturating_sub(lookback), at)
                }
            };
            if let Some((millis, value)) = found {
                times.push(millis);
                cells.push(Cell { row: position(row), value });
            }
        }
        let table = Table::clone(&selected.table);
        context.count(cells.len())?;
        Ok((Vector { table, cells }, times))
    }
}

/// The value between the last sample before and the first one after `at`.
fn smoothed(context: &Context<'_>, series: SeriesId, at: i64, lookback: i64) -> Option<(i64, SampleValue)> {
    let before = context.source.latest(series, at.saturating_sub(lookback), at);
    let mut window = Window::default();
    context.source.window(series, at, at.saturating_add(lookback), &mut window);
    let after = window.floats.first().copied();
    match (before, after) {
        (Some((start, SampleValue::Float(left))), Some((end, right))) if start < at => {
            Some((at, SampleValue::Float(interpolate((start, left), (end, right), at))))
        }
        (None, Some((_, right))) => Some((at, SampleValue::Float(right))),
        (before, _) => before,
    }
}

/// The value at `at` on the straight line through two samples.
#[expect(clippy::cast_precision_loss, reason = "differences of times are far below 2^53 milliseconds")]
pub(super) fn interpolate(from: (i64, f64), to: (i64, f64), at: i64) -> f64 {
    from.1 + (to.1 - from.1) * (at - from.0) as f64 / (to.0 - from.0) as f64
}

/// The time that an expression is asked for at `now`.
pub(super) fn shifted(shift: &TimeShift, context: &Context<'_>, now: i64) -> Result<i64, QueryError> {
    let at = match shift.at {
        None => now,
        Some(At::Time(millis)) => millis,
        Some(At::Start) => context.start,
        Some(At::End) => context.end,
    };
    let offset = match &shift.offset {
        Some(offset) => offset.evaluate(&context.durations())?,
        None => 0,
    };
    Ok(at.saturating_sub(offset))
}

/// The samples of one series within a range.
#[derive(Debug)]
pub(super) struct Stretch<'w> {
    /// The place of its labels.
    pub(super) row: u32,
    pub(super) window: &'w Window,
    /// The range, in milliseconds since 1970; its beginning is excluded.
    pub(super) start: i64,
    pub(super) end: i64,
}

impl MatrixPlan {
    /// Calls `visit` for each series with samples within its range, and returns the table of their labels.
    pub(super) fn stretches(
        &mut self,
        context: &mut Context<'_>,
        now: i64,
        mut visit: impl FnMut(&mut Context<'_>, &Table, Stretch<'_>) -> Result<(), QueryError>,
    ) -> Result<Table, QueryError> {
        match self {
            Self::Range { selector, range } => {
                let end = shifted(&selector.shift, context, now)?;
                let start = end.saturating_sub(range.evaluate_positive(&context.durations())?);
                let lookback = context.lookback();
                let (after, until) = match selector.boundary {
                    Boundary::Plain => (start, end),
                    Boundary::Anchored => (start.saturating_sub(lookback), end),
                    Boundary::Smoothed => (start.saturating_sub(lookback), end.saturating_add(lookback)),
                };
                let selected = selector.selection.selected(context);
                let mut window = Window::default();
                for (row, series) in selected.series.iter().enumerate() {
                    window.clear();
                    context.source.window(*series, after, until, &mut window);
                    if !window.is_empty() {
                        context.count(window.len())?;
                        let row = position(row);
                        visit(context, &selected.table, Stretch { row, window: &window, start, end })?;
                    }
                }
                Ok(Table::clone(&selected.table))
            }
            Self::Subquery { of, range, step, shift, rows } => {
                let end = shifted(shift, context, now)?;
                let start = end.saturating_sub(range.evaluate_positive(&context.durations())?);
                let step = match step {
                    Some(step) => step.evaluate_positive(&context.durations())?,
                    None => context.options.subquery_step_millis.max(1),
                };
                let (table, windows) = subquery(context, of, rows, start, end, step)?;
                for (row, window) in windows.iter().enumerate() {
                    if !window.is_empty() {
                        visit(context, &table, Stretch { row: position(row), window, start, end })?;
                    }
                }
                Ok(table)
            }
        }
    }
}

/// Between the steps of a subquery samples are passed over or met twice: what one tells of the sample before it does not
/// hold there.
fn without_hint(value: SampleValue) -> SampleValue {
    match value {
        SampleValue::Histogram(histogram)
            if matches!(histogram.reset_hint, ResetHint::Reset | ResetHint::NotReset) =>
        {
            let mut histogram = Arc::unwrap_or_clone(histogram);
            histogram.reset_hint = ResetHint::Unknown;
            histogram.into()
        }
        value => value,
    }
}

/// Evaluates an expression at the multiples of `step` after `start` and not after `end`.
fn subquery(
    context: &mut Context<'_>,
    of: &mut Plan,
    rows: &mut Interner,
    start: i64,
    end: i64,
    step: i64,
) -> Result<(Table, Vec<Window>), QueryError> {
    let mut at = step.saturating_mul(start / step);
    if at <= start {
        at = at.saturating_add(step);
    }
    let steps = usize::try_from((end.saturating_sub(at)) / step).unwrap_or(0);
    if steps > context.options.steps_max {
        return Err(QueryError::limit(format!("a subquery would evaluate its expression at {steps} times"))
            .with_hint("choose a longer step, or raise QueryOptions::steps_max"));
    }
    rows.begin();
    let mut windows: Vec<Window> = Vec::new();
    let mut places: Option<(Table, Vec<u32>)> = None;
    while at <= end {
        let vector = match evaluate(of, context, at)? {
            super::vector::Outcome::Scalar(value) => Vector::single(value),
            outcome => outcome.vector(),
        };
        context.count(vector.cells.len())?;
        let known = places.take().filter(|(table, _)| Table::ptr_eq(table, &vector.table));
        let (table, of_row) = known.unwrap_or_else(|| {
            let of_row = vector.table.rows.iter().map(|row| rows.row(row.clone())).collect();
            (Table::clone(&vector.table), of_row)
        });
        for cell in vector.cells {
            let place = index(of_row[index(cell.row)]);
            if place >= windows.len() {
                windows.resize_with(place + 1, Window::default);
            }
            windows[place].push(at, without_hint(cell.value));
        }
        places = Some((table, of_row));
        at = at.saturating_add(step);
    }
    Ok((rows.table(), windows))
}
