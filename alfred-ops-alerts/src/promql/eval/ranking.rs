//! Samples that are chosen from groups.

use std::cmp::Ordering;
use std::sync::Arc;

use super::context::Context;
use super::share::has_share;
use super::table::index;
use super::vector::Vector;
use crate::promql::Span;
use crate::promql::ast::AggregateOp;

/// The places of the samples that are chosen, group by group, the best first.
pub(super) fn choose(
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
                group.retain(|place| has_share(&vector.row(&vector.cells[*place]).labels, ratio));
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
