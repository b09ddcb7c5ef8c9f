//! A query prepared for repeated evaluation.

use std::collections::HashMap;
use std::sync::Arc;

use super::context::Context;
use super::evaluate;
use super::plan::{Plan, PlanKind};
use super::selections::Selections;
use super::table::{RowMemo, index};
use super::vector::{Outcome, Vector, twins};
use crate::promql::ast::Node;
use crate::promql::{
    Annotations, Answer, QueryError, QueryOptions, SampleValue, SeriesPoints, SeriesSource, Value,
    VectorSample, Window,
};

/// A query prepared for repeated evaluation against one source.
///
/// It keeps what its evaluations work out about series and labels. Asking it of another source is right as well,
/// if that source's generation differs.
#[derive(Debug)]
pub struct QueryPlan {
    text: Arc<str>,
    root: Plan,
    names: RowMemo,
}

impl QueryPlan {
    pub(crate) fn new(text: Arc<str>, root: &Node) -> Self {
        Self::sharing(text, root, &Selections::default())
    }

    /// The same, sharing what selectors mean with others of the same `selections`.
    pub(crate) fn sharing(text: Arc<str>, root: &Node, selections: &Selections) -> Self {
        Self { text, root: Plan::new(root, selections), names: RowMemo::default() }
    }

    fn context<'q>(
        text: &'q str,
        source: &'q dyn SeriesSource,
        options: &'q QueryOptions,
        (start, end, step): (i64, i64, i64),
    ) -> Context<'q> {
        Context { source, text, options, start, end, step, annotations: Annotations::default(), samples: 0 }
    }

    /// Evaluates the query at `at`, milliseconds since 1970.
    ///
    /// # Errors
    /// What the query has no answer to, and answers beyond the limits of `options`.
    pub fn instant(
        &mut self,
        source: &dyn SeriesSource,
        at: i64,
        options: &QueryOptions,
    ) -> Result<Answer, QueryError> {
        let text = Arc::clone(&self.text);
        let mut context = Self::context(&text, source, options, (at, at, 0));
        if let PlanKind::Matrix(matrix) = &mut self.root.kind {
            let mut series = Vec::new();
            matrix.stretches(&mut context, at, |_, table, stretch| {
                let labels = table.rows[index(stretch.row)].labels.clone();
                series.push(SeriesPoints { labels, points: points(stretch.window) });
                Ok(())
            })?;
            return Ok(Answer { value: Value::Matrix(series), annotations: context.annotations });
        }
        let value = match evaluate(&mut self.root, &mut context, at)? {
            Outcome::Scalar(value) => Value::Scalar(value),
            Outcome::Text(text) => Value::Text(String::from_utf8_lossy(&text).into_owned()),
            Outcome::Vector(vector) => {
                let vector = self.finished(vector)?;
                let samples = vector.cells.iter().map(|cell| VectorSample {
                    labels: vector.row(cell).labels.clone(),
                    value: cell.value.clone(),
                });
                Value::Vector(samples.collect())
            }
        };
        Ok(Answer { value, annotations: context.annotations })
    }

    /// Evaluates the query at `start` and every `step` after it, up to `end`; all in milliseconds.
    ///
    /// Series come sorted by their labels. A scalar is a series without labels.
    ///
    /// # Errors
    /// Those of [`instant`](Self::instant), a step that is not positive, and more steps than `options` allow.
    pub fn range(
        &mut self,
        source: &dyn SeriesSource,
        (start, end, step): (i64, i64, i64),
        options: &QueryOptions,
    ) -> Result<Answer, QueryError> {
        if step <= 0 {
            return Err(QueryError::evaluation(
                "zero or negative query resolution step widths are not accepted",
            ));
        }
        let steps = usize::try_from(end.saturating_sub(start) / step).unwrap_or(0);
        if steps > options.steps_max {
            return Err(QueryError::limit(format!("the query would be evaluated at {steps} times"))
                .with_hint("choose a longer step, or raise QueryOptions::steps_max"));
        }
        if matches!(self.root.kind, PlanKind::Matrix(_)) {
            return Err(unfit_for_range("range vector"));
        }
        let text = Arc::clone(&self.text);
        let mut context = Self::context(&text, source, options, (start, end, step));
        let mut index_of: HashMap<alfred_ops_core::Labels, usize> = HashMap::new();
        let mut series: Vec<SeriesPoints> = Vec::new();
        let mut at = start;
        while at <= end {
            let vector = match evaluate(&mut self.root, &mut context, at)? {
                Outcome::Scalar(value) => Vector::single(value),
                Outcome::Text(_) => return Err(unfit_for_range("string")),
                Outcome::Vector(vector) => self.finished(vector)?,
            };
            for cell in &vector.cells {
                let labels = &vector.row(cell).labels;
                let place = *index_of.entry(labels.clone()).or_insert_with(|| {
                    series.push(SeriesPoints { labels: labels.clone(), points: Vec::new() });
                    series.len() - 1
                });
                let points = &mut series[place].points;
                if points.last().is_some_and(|(last, _)| *last == at) {
                    return Err(twins());
                }
                points.push((at, cell.value.clone()));
            }
            at = at.saturating_add(step);
        }
        series.sort_by(|left, right| left.labels.cmp(&right.labels));
        Ok(Answer { value: Value::Matrix(series), annotations: context.annotations })
    }

    /// Removes the names that were to be removed at the end.
    fn finished(&mut self, vector: Vector) -> Result<Vector, QueryError> {
        if vector.table.rows.iter().all(|row| !row.drop_name) {
            return vector.unique();
        }
        let table = self
            .names
            .derive(&vector.table, |row| if row.drop_name { row.nameless(false) } else { row.clone() });
        Vector { table, cells: vector.cells }.unique()
    }
}

fn unfit_for_range(kind: &str) -> QueryError {
    QueryError::evaluation(format!(
        "invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector"
    ))
}

fn points(window: &Window) -> Vec<(i64, SampleValue)> {
    let floats = window.floats.iter().map(|(millis, value)| (*millis, SampleValue::Float(*value)));
    let histograms = window
        .histograms
        .iter()
        .map(|(millis, histogram)| (*millis, SampleValue::Histogram(Arc::clone(histogram))));
    let mut points: Vec<_> = floats.chain(histograms).collect();
    points.sort_by_key(|(millis, _)| *millis);
    points
}
