//! Labels taken over from info metrics.

use std::collections::HashMap;

use alfred_ops_core::Labels;

use super::call::argument;
use super::context::Context;
use super::plan::{CallPlan, PlanKind};
use super::table::Row;
use super::vector::{Cell, Vector};
use crate::promql::ast::{MatchOp, Matcher};
use crate::promql::{QueryError, SeriesId};

/// The labels that tell which info metric belongs to a series.
const IDENTIFYING: [&str; 2] = ["instance", "job"];
const DEFAULT_METRIC: &str = "target_info";

/// `info(v, {…})`: the samples with the labels of the info metrics that have the same `instance` and `job`.
pub(super) fn enrich(call: &mut CallPlan, context: &mut Context<'_>, now: i64) -> Result<Vector, QueryError> {
    let conditions = match call.arguments.get(1).map(|argument| &argument.kind) {
        Some(PlanKind::Selector(selector)) => selector.selection.matchers.to_vec(),
        _ => Vec::new(),
    };
    let (names, conditions): (Vec<Matcher>, Vec<Matcher>) =
        conditions.into_iter().partition(|matcher| matcher.name() == Labels::NAME);
    let names = if names.is_empty() { vec![Matcher::equal(Labels::NAME, DEFAULT_METRIC)] } else { names };
    let infos = infos(&names, context, now)?;
    let vector = argument(call, 0, context, now)?.vector();
    call.rows.begin();
    let mut cells = Vec::with_capacity(vector.cells.len());
    for cell in &vector.cells {
        let row = vector.row(cell);
        let is_info = names.iter().all(|name| name.matches(&row.labels));
        let enriched = if is_info {
            Some(row.labels.clone())
        } else {
            let found = infos.get(&identity(&row.labels)).map(Vec::as_slice).unwrap_or_default();
            with_data(&row.labels, found, &conditions)?
        };
        if let Some(labels) = enriched {
            let row = call.rows.row(Row { labels, drop_name: row.drop_name });
            cells.push(Cell { row, value: cell.value.clone() });
        }
    }
    Vector { table: call.rows.table(), cells }.unique_rows()
}

fn identity(labels: &Labels) -> Labels {
    labels.without(|name| !IDENTIFYING.contains(&name))
}

/// The latest info series by the labels that identify them.
fn infos(
    names: &[Matcher],
    context: &mut Context<'_>,
    now: i64,
) -> Result<HashMap<Labels, Vec<(i64, Labels)>>, QueryError> {
    let mut infos: HashMap<Labels, Vec<(i64, Labels)>> = HashMap::new();
    let series: Vec<SeriesId> = context.source.select(names);
    context.count(series.len())?;
    for id in series {
        if let Some((millis, _)) = context.source.latest(id, now.saturating_sub(context.lookback()), now) {
            let labels = context.source.labels(id);
            infos.entry(identity(&labels)).or_default().push((millis, labels));
        }
    }
    Ok(infos)
}

/// The labels with those of info series, or `None` if a condition is not met.
fn with_data(
    labels: &Labels,
    infos: &[(i64, Labels)],
    conditions: &[Matcher],
) -> Result<Option<Labels>, QueryError> {
    let wanted =
        |name: &str| conditions.is_empty() || conditions.iter().any(|matcher| matcher.name() == name);
    let mut latest: HashMap<&str, (i64, &Labels)> = HashMap::new();
    for (millis, info) in infos {
        let name = info.name().unwrap_or_default();
        let known = latest.entry(name).or_insert((*millis, info));
        if known.0 < *millis {
            *known = (*millis, info);
        } else if known.0 == *millis && known.1 != info {
            return Err(QueryError::evaluation(format!(
                "found duplicate series for info metric: existing {} @ {}, new {} @ {}",
                known.1, known.0, info, millis
            )));
        }
    }
    let mut data: HashMap<&str, &str> = HashMap::new();
    for (_, info) in latest.values() {
        if !conditions.iter().all(|matcher| matcher.matches(info)) {
            continue;
        }
        for (name, value) in info.iter() {
            if name == Labels::NAME
                || IDENTIFYING.contains(&name)
                || !wanted(name)
                || labels.get(name).is_some()
            {
                continue;
            }
            if data.insert(name, value).is_some_and(|known| known != value) {
                return Err(QueryError::evaluation(format!("conflicting label: {name}")));
            }
        }
    }
    // A condition that an absent label would not meet keeps only samples that got the label.
    let unmet = conditions.iter().any(|matcher| {
        let value =
            data.get(matcher.name()).copied().or_else(|| labels.get(matcher.name())).unwrap_or_default();
        matches!(matcher.op(), MatchOp::Equal | MatchOp::Regex) && !matcher.matches_value(value)
    });
    if unmet {
        return Ok(None);
    }
    Ok(Some(data.into_iter().fold(labels.clone(), |labels, (name, value)| labels.with(name, value))))
}
