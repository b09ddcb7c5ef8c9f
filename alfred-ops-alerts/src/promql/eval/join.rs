//! Samples of two sides that meet.

use std::collections::HashSet;
use std::sync::Arc;

use alfred_ops_core::Labels;

use super::binary::{signature, trims};
use super::context::Context;
use super::element::{Combined, combine};
use super::plan::BinaryPlan;
use super::table::{Interner, Row, RowMemo, index, is_metadata};
use super::vector::{Cell, Vector};
use crate::promql::ast::{BinaryOp, Cardinality, Matching};
use crate::promql::{QueryError, SampleValue, Span};

/// The side of which many samples may meet one of the other, and that other side.
struct Sides<'v> {
    many: &'v Vector,
    one: &'v Vector,
    many_rows: Arc<[u32]>,
    one_rows: Arc<[u32]>,
    /// Whether the sides are the other way round than in the query.
    swapped: bool,
    fill_many: Option<f64>,
    fill_one: Option<f64>,
}

/// Computes the samples that meet into one each.
pub(super) fn vectors(
    plan: &mut BinaryPlan,
    left: &Vector,
    right: &Vector,
    span: Span,
    context: &mut Context<'_>,
) -> Result<Vector, QueryError> {
    let matching = plan.matching.clone();
    let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
    if (left.cells.is_empty() || right.cells.is_empty()) && !fills {
        return Ok(Vector::empty());
    }
    plan.matches.prepare(&left.table, &right.table, |labels| signature(labels, &matching));
    let (left_rows, right_rows) = (Arc::clone(&plan.matches.left), Arc::clone(&plan.matches.right));
    let sides = if matches!(matching.cardinality, Cardinality::OneToMany(_)) {
        Sides {
            many: right,
            one: left,
            many_rows: right_rows,
            one_rows: left_rows,
            swapped: true,
            fill_many: matching.fill_right,
            fill_one: matching.fill_left,
        }
    } else {
        Sides {
            many: left,
            one: right,
            many_rows: left_rows,
            one_rows: right_rows,
            swapped: false,
            fill_many: matching.fill_left,
            fill_one: matching.fill_right,
        }
    };
    const NONE: usize = usize::MAX;
    let mut one_of = vec![NONE; plan.matches.signatures];
    for (place, cell) in sides.one.cells.iter().enumerate() {
        let slot = &mut one_of[index(sides.one_rows[index(cell.row)])];
        if *slot != NONE {
            return Err(many_to_many(&sides, &matching, *slot, place));
        }
        *slot = place;
    }
    let mut join = Join::new(plan, &matching, span, context.delayed());
    let mut met = vec![false; one_of.len()];
    for cell in &sides.many.cells {
        let signature = index(sides.many_rows[index(cell.row)]);
        met[signature] = true;
        let many_row = sides.many.row(cell);
        match (one_of[signature], sides.fill_one) {
            (NONE, None) => {}
            (NONE, Some(fill)) => {
                let stand_in = Row::new(matched(&many_row.labels, &matching));
                join.pair(
                    context,
                    &sides,
                    signature,
                    (Some(cell.row), many_row, &cell.value),
                    (None, &stand_in, &fill.into()),
                )?;
            }
            (place, _) => {
                let one = &sides.one.cells[place];
                let one_row = sides.one.row(one);
                join.pair(
                    context,
                    &sides,
                    signature,
                    (Some(cell.row), many_row, &cell.value),
                    (Some(one.row), one_row, &one.value),
                )?;
            }
        }
    }
    if let Some(fill) = sides.fill_many {
        for cell in &sides.one.cells {
            let signature = index(sides.one_rows[index(cell.row)]);
            if !met[signature] {
                let one_row = sides.one.row(cell);
                let stand_in = Row::new(matched(&one_row.labels, &matching));
                join.pair(
                    context,
                    &sides,
                    signature,
                    (None, &stand_in, &fill.into()),
                    (Some(cell.row), one_row, &cell.value),
                )?;
            }
        }
    }
    join.finish(&sides)
}

/// The labels that both sides of a match share by its rule.
fn matched(labels: &Labels, matching: &Matching) -> Labels {
    let named = |name: &str| matching.labels.iter().any(|label| label == name);
    match matching.on {
        true => labels.without(|name| !named(name)),
        false => labels.without(|name| is_metadata(name) || named(name)),
    }
}

fn many_to_many(sides: &Sides<'_>, matching: &Matching, first: usize, second: usize) -> QueryError {
    let labels = |place: usize| sides.one.row(&sides.one.cells[place]).labels.clone();
    let (first, second) = (labels(first), labels(second));
    let group = signature(&second, matching);
    let side = if sides.swapped { "left" } else { "right" };
    QueryError::evaluation(format!(
        "found duplicate series for the match group {} on the {side} hand-side of the operation: [{}, {}];\
         many-to-many matching not allowed: matching labels must be unique on one side",
        braced(&group),
        braced(&second),
        braced(&first)
    ))
    .with_hint("aggregate one side to the labels by which the sides should meet")
}

/// Labels as Prometheus prints them, the name among them.
fn braced(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}={}", crate::promql::syntax::quote(value.as_bytes())))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

/// The pairs of an operation between vectors, joined one after the other.
struct Join<'p> {
    op: BinaryOp,
    returns_bool: bool,
    span: Span,
    delayed: bool,
    matching: &'p Matching,
    results: &'p mut RowMemo,
    rows: &'p mut Interner,
    /// Results whose labels follow from the row of the "many" side alone; `None` once one does not.
    plain: Option<Vec<Cell>>,
    cells: Vec<Cell>,
    /// Signatures that have a result, where only one is allowed.
    taken: HashSet<usize>,
    /// Results of many-to-one matches, which must differ in their labels.
    distinct: HashSet<u32>,
}

type Operand<'v> = (Option<u32>, &'v Row, &'v SampleValue);

impl<'p> Join<'p> {
    fn new(plan: &'p mut BinaryPlan, matching: &'p Matching, span: Span, delayed: bool) -> Self {
        plan.rows.begin();
        let one_to_one = matching.cardinality == Cardinality::OneToOne;
        let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
        Self {
            op: plan.op,
            returns_bool: plan.returns_bool,
            span,
            delayed,
            matching,
            results: &mut plan.results,
            rows: &mut plan.rows,
            plain: (one_to_one && !fills).then(Vec::new),
            cells: Vec::new(),
            taken: HashSet::new(),
            distinct: HashSet::new(),
        }
    }

    fn pair(
        &mut self,
        context: &mut Context<'_>,
        sides: &Sides<'_>,
        signature: usize,
        many: Operand<'_>,
        one: Operand<'_>,
    ) -> Result<(), QueryError> {
        let (left, right) = if sides.swapped { (one.2, many.2) } else { (many.2, one.2) };
        let Some(Combined { value, holds }) = combine(self.op, left, right, self.span, context) else {
            return Ok(());
        };
        let value = match (self.returns_bool, holds) {
            (true, holds) => f64::from(u8::from(holds)).into(),
            (false, true) => value,
            (false, false) => return Ok(()),
        };
        if self.matching.cardinality == Cardinality::OneToOne && !self.taken.insert(signature) {
            return Err(QueryError::evaluation(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
            )
            .with_hint("aggregate the side that has several series, or say group_left or group_right"));
        }
        if let (Some(plain), Some(row)) = (&mut self.plain, many.0) {
            plain.push(Cell { row, value });
            return Ok(());
        }
        let row =
            self.rows.row(result(self.op, self.returns_bool, self.matching, self.delayed, many.1, one.1));
        if self.matching.cardinality != Cardinality::OneToOne && !self.distinct.insert(row) {
            return Err(QueryError::evaluation(
                "multiple matches for labels: grouping labels must ensure unique matches",
            )
            .with_hint("take over the labels that tell the results apart by group_left or group_right"));
        }
        self.cells.push(Cell { row, value });
        Ok(())
    }

    fn finish(self, sides: &Sides<'_>) -> Result<Vector, QueryError> {
        let Some(plain) = self.plain else {
            return Vector { table: self.rows.table(), cells: self.cells }.unique_rows();
        };
        let (op, returns_bool, matching, delayed) = (self.op, self.returns_bool, self.matching, self.delayed);
        let nobody = Row::new(Labels::empty());
        let table = self
            .results
            .derive(&sides.many.table, |row| result(op, returns_bool, matching, delayed, row, &nobody));
        Vector { table, cells: plain }.unique()
    }
}

/// The labels of a result.
fn result(
    op: BinaryOp,
    returns_bool: bool,
    matching: &Matching,
    delayed: bool,
    many: &Row,
    one: &Row,
) -> Row {
    let drops = op.drops_name() || returns_bool || trims(op);
    let mut row = if drops { many.nameless(delayed) } else { many.clone() };
    let named = |name: &str| matching.labels.iter().any(|label| label == name);
    match &matching.cardinality {
        Cardinality::OneToOne if matching.on => row.labels = row.labels.without(|name| !named(name)),
        Cardinality::OneToOne => row.labels = row.labels.without(named),
        Cardinality::ManyToOne(included) | Cardinality::OneToMany(included) => {
            for label in included {
                row.labels = row.labels.with(label, one.labels.get(label).unwrap_or_default());
            }
        }
        Cardinality::ManyToMany => {}
    }
    row
}
