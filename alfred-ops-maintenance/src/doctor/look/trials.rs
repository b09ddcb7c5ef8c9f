//! What the planner would make of indexes that are not there, where the extension `hypopg` lets one ask.
//!
//! Such an index lives in this session alone and on no disk. Of a statement only what was understood is asked, in words of
//! ours: its text is anybody's, and who plans a text runs its immutable functions. Operators are named with their schemas,
//! for whoever owns a schema of the search path may choose another. What else the planner may run is in [`super::trust`].

use std::collections::BTreeMap;
use std::fmt::Write as _;

use alfred_ops_core::Result;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::statements::schema;
use super::trust::{Operators, is_trusted, operators, untried, what};
use super::{Look, count};
use crate::doctor::{IndexTrial, WantedIndex, wanted_indexes};
use crate::postgres::quoted;

/// So many are asked for at most, of foreign keys and of statements each; the largest and the most read come first.
const TRIALS_MAX: usize = 20;

/// Without the constants nobody knows which rows are looked for, and no plan may depend on them. What row security or a CHECK
/// says is anybody's words. Said within each trial's transaction: no pooler comes between it and the plan.
const SETTINGS: &str = "SELECT set_config('plan_cache_mode', 'force_generic_plan', true), \
    set_config('row_security', 'off', true), set_config('constraint_exclusion', 'off', true)";

const CREATE: &str = "SELECT h.indexname::text AS name, {schema}.hypopg_relation_size(h.indexrelid) AS bytes \
    FROM {schema}.hypopg_create_index($1::text) AS h";

pub(super) async fn look(look: &mut Look<'_>) -> Result<()> {
    let Some(schema) = schema(look, "hypopg").await? else { return Ok(()) };
    let schema = quoted(&schema);
    sizes(look, &schema).await?;
    for (number, wanted) in wanted(look).into_iter().enumerate() {
        if number >= TRIALS_MAX {
            untried(look, &wanted.table, format!("only {TRIALS_MAX} are tried in one look, the most read"));
            continue;
        }
        let trial = trial(look, &schema, &wanted, number).await?;
        look.facts.trials.extend(trial);
        forget(look, &schema, &wanted.table).await?;
    }
    Ok(())
}

/// The same for who builds nothing that was not tried: without the extension that is a gap.
pub(super) async fn look_for_care(look: &mut Look<'_>) -> Result<()> {
    if schema(look, "hypopg").await?.is_some() {
        return self::look(look).await;
    }
    for wanted in wanted(look) {
        untried(look, &wanted.table, "CREATE EXTENSION hypopg".to_owned());
    }
    Ok(())
}

fn wanted(look: &Look<'_>) -> Vec<WantedIndex> {
    let mut wanted = wanted_indexes(&look.facts, look.policy);
    wanted.retain(|wanted| !wanted.is_partitioned);
    wanted
}

/// Sizes of what foreign keys lack, where there was nothing to estimate them from.
async fn sizes(look: &mut Look<'_>, schema: &str) -> Result<()> {
    let bytes_min = look.policy.bytes_min;
    let unknown: Vec<(usize, String, Vec<String>)> = look
        .facts
        .foreign_keys
        .iter()
        .enumerate()
        .filter(|(_, key)| key.indexes.is_empty() && !key.is_begun && !key.is_partitioned)
        .filter(|(_, key)| key.index_bytes.is_none() && key.bytes >= bytes_min)
        .map(|(place, key)| (place, key.table.clone(), key.columns.clone()))
        .take(TRIALS_MAX)
        .collect();
    for (place, table, columns) in unknown {
        if is_held(look, &table).await? {
            let made = create(look, schema, &table, &columns).await?;
            if let Some(key) = look.facts.foreign_keys.get_mut(place) {
                key.index_bytes = made.map(|(_, bytes)| bytes);
            }
        }
        forget(look, schema, &table).await?;
    }
    Ok(())
}

async fn trial(
    look: &mut Look<'_>,
    schema: &str,
    wanted: &WantedIndex,
    number: usize,
) -> Result<Option<IndexTrial>> {
    let table = &wanted.table;
    if !is_held(look, table).await? {
        return Ok(None);
    }
    let compared = wanted.equal.iter().chain(&wanted.ranged).cloned().collect();
    let Some(operators) = operators(look, table, compared).await? else { return Ok(None) };
    let Some((condition, parameters)) = condition(wanted, &operators) else { return Ok(None) };
    // Of its children and partitions nobody was asked.
    let text = format!("SELECT * FROM ONLY {table} WHERE {condition}");
    let without = format!("alfred_ops_without_{number}");
    let Some(before) = plan(look, table, &text, parameters, &without).await? else { return Ok(None) };
    let made = create(look, schema, table, &wanted.columns).await?;
    let Some((name, bytes)) = made else { return Ok(None) };
    let with = format!("alfred_ops_with_{number}");
    let Some(after) = plan(look, table, &text, parameters, &with).await? else { return Ok(None) };
    Ok(cost(&before).zip(cost(&after)).map(|(cost_before, cost_after)| IndexTrial {
        table: table.clone(),
        columns: wanted.columns.clone(),
        bytes,
        cost_before,
        cost_after,
        is_used: uses(&after, &name),
    }))
}

/// Whether the table may be planned and stays as it is until it is forgotten. Nobody is waited for: who makes us wait could
/// alter meanwhile what we trusted.
async fn is_held(look: &mut Look<'_>, table: &str) -> Result<bool> {
    // Also before the lock: its refusal would not tell which right is missing.
    Ok(is_trusted(look, table).await?
        && ask(look, table, "BEGIN").await?.is_some()
        && ask(look, table, SETTINGS).await?.is_some()
        && ask(look, table, &format!("LOCK TABLE ONLY {table} IN ACCESS SHARE MODE NOWAIT")).await?.is_some()
        && is_trusted(look, table).await?)
}

/// What the statement looks for, and how many constants that takes.
fn condition(wanted: &WantedIndex, operators: &BTreeMap<String, Operators>) -> Option<(String, usize)> {
    let (mut text, mut parameters) = (String::new(), 0);
    let mut add = |column: &str, operator: &str| {
        parameters += 1;
        let and = if parameters > 1 { " AND " } else { "" };
        let _ = write!(text, "{and}{} {operator} ${parameters}", quoted(column));
    };
    for column in &wanted.equal {
        add(column, &operators.get(column)?.equal);
    }
    // Of an open range the planner believes that it holds a third of the rows. This one is known to hold few, and of a
    // closed one the planner believes that.
    for column in &wanted.ranged {
        let operators = operators.get(column)?;
        add(column, &operators.least);
        add(column, &operators.most);
    }
    Some((text, parameters))
}

/// The plan of a question of ours. A name is used once: what it was planned for stays with it.
async fn plan(
    look: &mut Look<'_>,
    table: &str,
    text: &str,
    parameters: usize,
    name: &str,
) -> Result<Option<Value>> {
    if ask(look, table, &format!("PREPARE {name} AS {text}")).await?.is_none() {
        return Ok(None);
    }
    let nulls = vec!["NULL"; parameters].join(", ");
    let query = format!("EXPLAIN (FORMAT JSON) EXECUTE {name} ({nulls})");
    let query = sqlx::query(AssertSqlSafe(query));
    let texts = look.attempt(&what(table), query, |row| row.try_get_unchecked::<String, _>(0)).await?;
    let Some(text) = texts.and_then(|texts| texts.into_iter().next()) else { return Ok(None) };
    let plan = serde_json::from_str::<Value>(&text).ok();
    Ok(plan.and_then(|plan| plan.get(0)?.get("Plan").cloned()))
}

/// The name and the size of an index that is there for this session from now on.
async fn create(
    look: &mut Look<'_>,
    schema: &str,
    table: &str,
    columns: &[String],
) -> Result<Option<(String, u64)>> {
    let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    let statement = format!("CREATE INDEX ON {table} ({})", columns.join(", "));
    let query = sqlx::query(AssertSqlSafe(CREATE.replace("{schema}", schema))).bind(statement);
    let read = |row: &PgRow| Ok((row.try_get("name")?, count(row, "bytes")?));
    Ok(look.attempt(&what(table), query, read).await?.and_then(|mut made| made.pop()))
}

/// All is as it was before the trial, and the table free.
async fn forget(look: &mut Look<'_>, schema: &str, table: &str) -> Result<()> {
    ask(look, table, "ROLLBACK").await?;
    ask(look, table, &format!("SELECT {schema}.hypopg_reset()")).await?;
    Ok(())
}

/// None, and a gap that names the table, where it failed.
async fn ask(look: &mut Look<'_>, table: &str, statement: &str) -> Result<Option<()>> {
    let query = sqlx::query(AssertSqlSafe(statement));
    Ok(look.attempt(&what(table), query, |_| Ok(())).await?.map(|_| ()))
}

fn cost(plan: &Value) -> Option<u64> {
    let cost = plan.get("Total Cost")?.as_f64()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    let whole = cost.ceil().clamp(0.0, 1e18) as u64;
    Some(whole)
}

fn uses(plan: &Value, index: &str) -> bool {
    let below = plan.get("Plans").and_then(Value::as_array);
    plan.get("Index Name").and_then(Value::as_str) == Some(index)
        || below.is_some_and(|plans| plans.iter().any(|plan| uses(plan, index)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_asked_is_of_our_own_words() {
        let check = |equal: &[&str], ranged: &[&str], text: &str, parameters| {
            let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<String>>();
            let operator = |name: &str| format!("OPERATOR(pg_catalog.{name})");
            let of = Operators { equal: operator("="), least: operator(">="), most: operator("<=") };
            let operators =
                [equal, ranged].concat().iter().map(|&name| (name.to_owned(), of.clone())).collect();
            let wanted = WantedIndex { equal: names(equal), ranged: names(ranged), ..WantedIndex::default() };
            let text = text.replace("[", "OPERATOR(pg_catalog.").replace("]", ")");
            assert_eq!(condition(&wanted, &operators), Some((text, parameters)));
            assert_eq!(condition(&wanted, &BTreeMap::new()), None);
        };
        check(&["a"], &[], "\"a\" [=] $1", 1);
        check(&["a", "b\"; DROP"], &[], "\"a\" [=] $1 AND \"b\"\"; DROP\" [=] $2", 2);
        check(&["a"], &["at"], "\"a\" [=] $1 AND \"at\" [>=] $2 AND \"at\" [<=] $3", 3);
    }

    #[test]
    fn a_plan_tells_its_cost_and_what_it_uses() {
        let scan = json!({ "Index Name": "<1>btree_t_a", "Total Cost": 4.5 });
        let plan = json!({ "Total Cost": 8.02, "Plans": [{ "Total Cost": 1 }, { "Plans": [scan] }] });
        assert_eq!(cost(&plan), Some(9));
        assert!(uses(&plan, "<1>btree_t_a") && !uses(&plan, "<2>btree_t_a"));
        for bad in [json!(null), json!({}), json!({ "Total Cost": "9", "Plans": 7 })] {
            assert!(cost(&bad).is_none() && !uses(&bad, "x"), "{bad}");
        }
    }
}
