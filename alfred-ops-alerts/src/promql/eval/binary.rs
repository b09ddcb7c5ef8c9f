//! Operators between two sides.

use alfred_ops_core::Labels;

use super::context::Context;
use super::element::{Combined, combine, scalars};
use super::evaluate;
use super::join::vectors;
use super::plan::BinaryPlan;
use super::table::index;
use super::vector::{Cell, Outcome, Vector};
use crate::promql::ast::{BinaryOp, Matching};
use crate::promql::{QueryError, SampleValue, Span};

pub(super) fn evaluate_binary(
    plan: &mut BinaryPlan,
    span: Span,
    context: &mut Context<'_>,
    now: i64,
) -> Result<Outcome, QueryError> {
    let left = evaluate(&mut plan.left, context, now)?;
    let right = evaluate(&mut plan.right, context, now)?;
    Ok(match (left, right) {
        (Outcome::Scalar(left), Outcome::Scalar(right)) => Outcome::Scalar(scalars(plan.op, left, right)),
        (Outcome::Scalar(scalar), vector) => {
            Outcome::Vector(with_scalar(plan, vector.vector(), scalar, true, span, context)?)
        }
        (vector, Outcome::Scalar(scalar)) => {
            Outcome::Vector(with_scalar(plan, vector.vector(), scalar, false, span, context)?)
        }
        (left, right) => {
            let (left, right) = (left.vector(), right.vector());
            Outcome::Vector(match plan.op {
                BinaryOp::And | BinaryOp::Unless | BinaryOp::Or => sets(plan, left, right),
                _ => vectors(plan, &left, &right, span, context)?,
            })
        }
    })
}

fn with_scalar(
    plan: &mut BinaryPlan,
    vector: Vector,
    scalar: f64,
    scalar_is_left: bool,
    span: Span,
    context: &mut Context<'_>,
) -> Result<Vector, QueryError> {
    let scalar = SampleValue::Float(scalar);
    let mut cells = Vec::with_capacity(vector.cells.len());
    for cell in vector.cells {
        let (left, right) = if scalar_is_left { (&scalar, &cell.value) } else { (&cell.value, &scalar) };
        let Some(Combined { value, holds }) = combine(plan.op, left, right, span, context) else { continue };
        let value = if plan.returns_bool {
            f64::from(u8::from(holds)).into()
        } else if !holds {
            continue;
        } else if plan.op.compares() {
            // Whichever side the number stands on, it is the sample that a comparison chooses.
            cell.value
        } else {
            value
        };
        cells.push(Cell { row: cell.row, value });
    }
    let vector = Vector { table: vector.table, cells };
    if plan.op.drops_name() || plan.returns_bool || trims(plan.op) {
        return vector.nameless(context.delayed());
    }
    Ok(vector)
}

pub(super) const fn trims(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower)
}

/// The labels by which samples of both sides meet.
pub(super) fn signature(labels: &Labels, matching: &Matching) -> Labels {
    let named = |name: &str| matching.labels.iter().any(|label| label == name);
    match matching.on {
        true => labels.without(|name| !named(name)),
        false => labels.without(|name| name == Labels::NAME || named(name)),
    }
}

fn sets(plan: &mut BinaryPlan, left: Vector, right: Vector) -> Vector {
    let matching = &plan.matching;
    plan.matches.prepare(&left.table, &right.table, |labels| signature(labels, matching));
    let matches = &plan.matches;
    let present = |rows: &[u32], cells: &[Cell]| {
        let mut present = vec![false; matches.signatures];
        for cell in cells {
            present[index(rows[index(cell.row)])] = true;
        }
        present
    };
    if plan.op == BinaryOp::Or {
        let on_left = present(&matches.left, &left.cells);
        plan.rows.begin();
        let rows = &mut plan.rows;
        let mut cells: Vec<Cell> = Vec::with_capacity(left.cells.len() + right.cells.len());
        let mut keep = |vector: &Vector, cell: &Cell| {
            let row = rows.row(vector.row(cell).clone());
            cells.push(Cell { row, value: cell.value.clone() });
        };
        for cell in &left.cells {
            keep(&left, cell);
        }
        for cell in &right.cells {
            if !on_left[index(matches.right[index(cell.row)])] {
                keep(&right, cell);
            }
        }
        return Vector { table: plan.rows.table(), cells };
    }
    let on_right = present(&matches.right, &right.cells);
    let wanted = plan.op == BinaryOp::And;
    let mut vector = left;
    vector.cells.retain(|cell| on_right[index(matches.left[index(cell.row)])] == wanted);
    vector
}
