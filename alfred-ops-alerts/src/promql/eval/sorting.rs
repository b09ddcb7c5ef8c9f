//! Samples in order.

use std::cmp::Ordering;

use super::call::argument;
use super::context::Context;
use super::plan::CallPlan;
use super::vector::Vector;
use crate::promql::ast::Function;
use crate::promql::{QueryError, Span};

pub(super) fn sort(
    call: &mut CallPlan,
    span: Span,
    context: &mut Context<'_>,
    now: i64,
) -> Result<Vector, QueryError> {
    let mut vector = argument(call, 0, context, now)?.vector();
    let by_value = matches!(call.function, Function::Sort | Function::SortDesc);
    if by_value {
        vector.cells.retain(|cell| cell.value.float().is_some());
    }
    if context.is_range() {
        context
            .warn(span, "sort is ineffective for range queries since results are always ordered by labels");
        return Ok(vector);
    }
    let descending = matches!(call.function, Function::SortDesc | Function::SortByLabelDesc);
    if by_value {
        let value = |value: &crate::promql::SampleValue| value.float().unwrap_or(f64::NAN);
        vector.cells.sort_by(|a, b| numbers_first(value(&a.value), value(&b.value), descending));
        return Ok(vector);
    }
    let mut names = Vec::new();
    for index in 1..call.arguments.len() {
        names.push(String::from_utf8_lossy(&argument(call, index, context, now)?.text()).into_owned());
    }
    let table = super::table::Table::clone(&vector.table);
    vector.cells.sort_by(|a, b| {
        let (a, b) =
            (&table.rows[super::table::index(a.row)].labels, &table.rows[super::table::index(b.row)].labels);
        let by_names = names
            .iter()
            .map(|name| natural(a.get(name).unwrap_or_default(), b.get(name).unwrap_or_default()));
        let order = by_names.fold(Ordering::Equal, Ordering::then).then_with(|| a.cmp(b));
        if descending { order.reverse() } else { order }
    });
    Ok(vector)
}

/// NaN stands behind all numbers in either direction.
fn numbers_first(left: f64, right: f64, descending: bool) -> Ordering {
    let order = left.partial_cmp(&right);
    match order {
        Some(order) if descending => order.reverse(),
        Some(order) => order,
        None => left.is_nan().cmp(&right.is_nan()),
    }
}

/// Compares texts so that numbers within them count as numbers.
fn natural(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    while !left.is_empty() && !right.is_empty() {
        let (left_part, left_rest) = next_part(left);
        let (right_part, right_rest) = next_part(right);
        let order = match (left_part.parse::<u64>(), right_part.parse::<u64>()) {
            (Ok(left), Ok(right)) => left.cmp(&right),
            _ => left_part.cmp(right_part),
        };
        if order.is_ne() {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    left.len().cmp(&right.len())
}

/// The digits, or what is none, at the beginning, and the rest.
fn next_part(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    text.split_at(text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_texts_count_as_numbers() {
        let mut texts = ["cpu10", "cpu9", "cpu", "4m1k", "4m600", "1111"];
        texts.sort_by(|a, b| natural(a, b));
        assert_eq!(texts, ["4m1k", "4m600", "1111", "cpu", "cpu9", "cpu10"]);
    }
}
