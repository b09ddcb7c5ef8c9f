//! What the planner would make of indexes that are not there, where the extension `hypopg` lets one ask.
//!
//! Such an index lives in this session alone and on no disk. Of a statement only what was understood is asked, in words of
//! ours: its text is anybody's, and who plans a text runs its immutable functions.

use std::fmt::Write as _;

use alfred_ops_core::Result;
use serde_json::Value;
use sqlx::Row as _;

use super::statements::schema;
use super::{Look, count};
use crate::doctor::{Gap, IndexTrial, WantedIndex, wanted_indexes};
use crate::postgres::{literal, quoted};

/// So many are asked for at most, of foreign keys and of statements each; the largest and the most read come first.
const TRIALS_MAX: usize = 20;

const CREATE: &str = "SELECT h.indexname::text AS name, {schema}.hypopg_relation_size(h.indexrelid) AS bytes \
    FROM {schema}.hypopg_create_index({statement}) AS h";

/// Whether the role may read the table, and where the operators of its columns are.
const COLUMNS: &str = "SELECT has_table_privilege(c.oid, 'SELECT') AS readable, concat_ws(', ', 'pg_catalog', \
    (SELECT string_agg(DISTINCT quote_ident(n.nspname), ', ') FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
    LEFT JOIN pg_type b ON b.oid = t.typbasetype JOIN pg_namespace n ON n.oid = coalesce(b.typnamespace, t.typnamespace) \
    WHERE a.attrelid = c.oid AND a.attname::text = ANY (ARRAY[{columns}]) AND n.nspname <> 'pg_catalog')) AS path \
    FROM pg_class c WHERE c.oid = {table}::regclass";

pub(super) async fn look(look: &mut Look<'_>) -> Result<()> {
    let Some(schema) = schema(look, "hypopg").await? else { return Ok(()) };
    let schema = quoted(&schema);
    sizes(look, &schema).await?;
    // Without the constants nobody knows which rows are looked for, and no plan may depend on them.
    execute(look, "SELECT set_config('plan_cache_mode', 'force_generic_plan', false)").await?;
    let wanted = wanted_indexes(&look.facts, look.policy);
    let wanted = wanted.into_iter().filter(|wanted| !wanted.is_partitioned);
    for (number, wanted) in wanted.take(TRIALS_MAX).enumerate() {
        if let Some(trial) = trial(look, &schema, &wanted, number).await? {
            look.facts.trials.push(trial);
        }
        forget(look, &schema).await?;
    }
    Ok(())
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
        let made = create(look, schema, &table, &columns).await?;
        if let Some(key) = look.facts.foreign_keys.get_mut(place) {
            key.index_bytes = made.map(|(_, bytes)| bytes);
        }
        forget(look, schema).await?;
    }
    Ok(())
}

async fn trial(
    look: &mut Look<'_>,
    schema: &str,
    wanted: &WantedIndex,
    number: usize,
) -> Result<Option<IndexTrial>> {
    let Some(path) = operators(look, wanted).await? else { return Ok(None) };
    search(look, &path).await?;
    let (condition, parameters) = condition(wanted);
    let ask = format!("SELECT * FROM {} WHERE {condition}", wanted.table);
    let Some(before) = plan(look, &ask, parameters, &format!("alfred_ops_without_{number}")).await? else {
        return Ok(None);
    };
    let Some((name, bytes)) = create(look, schema, &wanted.table, &wanted.columns).await? else {
        return Ok(None);
    };
    let Some(after) = plan(look, &ask, parameters, &format!("alfred_ops_with_{number}")).await? else {
        return Ok(None);
    };
    Ok(cost(&before).zip(cost(&after)).map(|(cost_before, cost_after)| IndexTrial {
        table: wanted.table.clone(),
        columns: wanted.columns.clone(),
        bytes,
        cost_before,
        cost_after,
        is_used: uses(&after, &name),
    }))
}

/// The search path on which the planner finds the operators; none, and a gap, where the role may not read the table.
async fn operators(look: &mut Look<'_>, wanted: &WantedIndex) -> Result<Option<String>> {
    let columns = wanted.equal.iter().chain(&wanted.ranged).map(|name| literal(name));
    let query = COLUMNS.replace("{table}", &literal(&wanted.table));
    let query = query.replace("{columns}", &columns.collect::<Vec<String>>().join(", "));
    let seen = look.read("columns", &query, |row| -> Result<(bool, String), sqlx::Error> {
        Ok((row.try_get("readable")?, row.try_get("path")?))
    });
    let Some((readable, path)) = seen.await?.pop() else { return Ok(None) };
    if readable {
        return Ok(Some(path));
    }
    let what = format!("what the planner would make of an index of {}", wanted.table);
    let remedy = format!("run GRANT SELECT ON {} TO {}", wanted.table, quoted(&look.facts.role));
    let gap = Gap::new(what, remedy);
    if !look.facts.gaps.contains(&gap) {
        look.facts.gaps.push(gap);
    }
    Ok(None)
}

async fn search(look: &mut Look<'_>, path: &str) -> Result<()> {
    execute(look, &format!("SELECT set_config('search_path', {}, false)", literal(path))).await?;
    Ok(())
}

/// What the statement looks for, and how many constants that takes.
fn condition(wanted: &WantedIndex) -> (String, usize) {
    let (mut text, mut parameters) = (String::new(), 0);
    let mut add = |column: &str, operator: &str| {
        parameters += 1;
        let and = if parameters > 1 { " AND " } else { "" };
        let _ = write!(text, "{and}{} {operator} ${parameters}", quoted(column));
    };
    for column in &wanted.equal {
        add(column, "=");
    }
    // Of an open range the planner believes that it holds a third of the rows. This one is known to hold few, and of a
    // closed one the planner believes that.
    for column in &wanted.ranged {
        add(column, ">=");
        add(column, "<=");
    }
    (text, parameters)
}

/// The plan of a question of ours. A name is used once: what it was planned for stays with it.
async fn plan(look: &mut Look<'_>, ask: &str, parameters: usize, name: &str) -> Result<Option<Value>> {
    if execute(look, &format!("PREPARE {name} AS {ask}")).await?.is_none() {
        return Ok(None);
    }
    let nulls = vec!["NULL"; parameters].join(", ");
    let query = format!("EXPLAIN (FORMAT JSON) EXECUTE {name} ({nulls})");
    let texts = look.read("a plan", &query, |row| row.try_get_unchecked::<String, _>(0)).await?;
    execute(look, &format!("DEALLOCATE {name}")).await?;
    let plan = texts.first().and_then(|text| serde_json::from_str::<Value>(text).ok());
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
    let query = CREATE.replace("{schema}", schema).replace("{statement}", &literal(&statement));
    let what = format!("an index of {table} that is not there");
    Ok(look.read(&what, &query, |row| Ok((row.try_get("name")?, count(row, "bytes")?))).await?.pop())
}

/// All is as it was before the trial.
async fn forget(look: &mut Look<'_>, schema: &str) -> Result<()> {
    search(look, "pg_catalog").await?;
    execute(look, &format!("SELECT {schema}.hypopg_reset()")).await?;
    Ok(())
}

/// None, and a gap, where it failed.
async fn execute(look: &mut Look<'_>, statement: &str) -> Result<Option<()>> {
    let gaps = look.facts.gaps.len();
    look.read("a plan", statement, |_| Ok(())).await?;
    Ok((look.facts.gaps.len() == gaps).then_some(()))
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
            let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
            let wanted = WantedIndex { equal: names(equal), ranged: names(ranged), ..WantedIndex::default() };
            assert_eq!(condition(&wanted), (text.to_owned(), parameters));
        };
        check(&["a"], &[], "\"a\" = $1", 1);
        check(&["a", "b\"; DROP"], &[], "\"a\" = $1 AND \"b\"\"; DROP\" = $2", 2);
        check(&["a"], &["at"], "\"a\" = $1 AND \"at\" >= $2 AND \"at\" <= $3", 3);
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
