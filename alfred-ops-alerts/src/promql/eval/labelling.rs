//! Functions that make labels.

use std::sync::Arc;

use alfred_ops_core::Labels;

use super::call::argument;
use super::context::Context;
use super::plan::CallPlan;
use super::table::Row;
use super::vector::Vector;
use crate::promql::QueryError;
use crate::promql::ast::{MatchOp, Matcher};
use crate::promql::syntax::quote;
use crate::relabel::{AnchoredRegex, expand};

/// The labels of something absent: what its selector's equalities say. As in Prometheus a condition takes away what the
/// ones before it said of the same label, and of two equalities neither counts.
pub(super) fn absent_labels(matchers: &[Matcher]) -> Labels {
    let mut said: Vec<(&str, Option<&str>)> = Vec::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name() != Labels::NAME) {
        match said.iter_mut().find(|(name, _)| *name == matcher.name()) {
            Some((_, value)) => *value = None,
            None if matcher.op() == MatchOp::Equal => said.push((matcher.name(), Some(matcher.value()))),
            // Nothing was said yet: an equality behind it still counts.
            None => {}
        }
    }
    Labels::from_pairs(said.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

fn text(
    call: &mut CallPlan,
    index: usize,
    context: &mut Context<'_>,
    now: i64,
) -> Result<Arc<[u8]>, QueryError> {
    Ok(argument(call, index, context, now)?.text())
}

fn label_name(function: &str, what: &str, text: &[u8]) -> Result<String, QueryError> {
    let name = std::str::from_utf8(text).ok().filter(|name| !name.is_empty());
    name.map(str::to_owned).ok_or_else(|| {
        QueryError::evaluation(format!(
            "invalid {what} label name in {function}(): {}",
            String::from_utf8_lossy(text)
        ))
    })
}

pub(super) fn replace(
    call: &mut CallPlan,
    context: &mut Context<'_>,
    now: i64,
) -> Result<Vector, QueryError> {
    let destination = text(call, 1, context, now)?;
    let replacement = text(call, 2, context, now)?;
    let source = text(call, 3, context, now)?;
    let pattern = text(call, 4, context, now)?;
    let pattern = String::from_utf8_lossy(&pattern).into_owned();
    let regex = AnchoredRegex::new(&pattern).map_err(|_| {
        QueryError::evaluation(format!(
            "invalid regular expression in label_replace(): {}",
            quote(pattern.as_bytes())
        ))
    })?;
    let destination = label_name("label_replace", "destination", &destination)?;
    let source = String::from_utf8_lossy(&source).into_owned();
    let replacement = String::from_utf8_lossy(&replacement).into_owned();
    let vector = argument(call, 0, context, now)?.vector();
    let table = call.names.derive(&vector.table, |row| {
        let value = row.labels.get(&source).unwrap_or_default();
        match regex.captures(value) {
            None => row.clone(),
            Some(captures) => relabelled(row, &destination, &expand(&replacement, &captures)),
        }
    });
    Vector { table, cells: vector.cells }.unique()
}

pub(super) fn join(call: &mut CallPlan, context: &mut Context<'_>, now: i64) -> Result<Vector, QueryError> {
    let destination = text(call, 1, context, now)?;
    let separator = String::from_utf8_lossy(&text(call, 2, context, now)?).into_owned();
    let mut sources = Vec::new();
    for index in 3..call.arguments.len() {
        sources.push(label_name("label_join", "source", &text(call, index, context, now)?)?);
    }
    let destination = label_name("label_join", "destination", &destination)?;
    let vector = argument(call, 0, context, now)?.vector();
    let table = call.names.derive(&vector.table, |row| {
        let values: Vec<&str> = sources.iter().map(|name| row.labels.get(name).unwrap_or_default()).collect();
        relabelled(row, &destination, &values.join(&separator))
    });
    Vector { table, cells: vector.cells }.unique()
}

/// The row with one label set. A name that is set anew is true again.
fn relabelled(row: &Row, name: &str, value: &str) -> Row {
    Row { labels: row.labels.with(name, value), drop_name: row.drop_name && name != Labels::NAME }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::Query;
    use crate::promql::ast::NodeKind;

    #[track_caller]
    fn check(selector: &str, expected: &str) {
        let query = Query::parse(selector).unwrap();
        let NodeKind::Selector(selector) = &query.root().kind else { panic!("{selector} is no selector") };
        assert_eq!(absent_labels(&selector.matchers).to_string(), expected);
    }

    #[test]
    fn something_absent_has_the_labels_that_are_said_once() {
        check(r#"up{job="a",zone!="b"}"#, r#"{job="a"}"#);
        check(r#"up{job="a",job="b",zone="c"}"#, r#"{zone="c"}"#);
        check(r#"up{job="a",job=~"b"}"#, "{}");
        check(r#"up{job=~"b",job="a"}"#, r#"{job="a"}"#);
    }
}
