//! Looking at partitions, and at what else rows of a table are in.

use alfred_ops_scaling::{
    Partition, PartitionFacts, PartitionPlan, PartitionPolicy, PartitionStep, plan_partitions,
};
use chrono::{DateTime, Utc};
use sqlx::Row as _;

use super::mark::Mark;
use super::{ExpiredPartition, PartitionState, RetentionPolicy, TableFacts};
use crate::TableName;
use crate::postgres::Session;

/// Tables that the rows of one table are in, at most: each is looked at.
pub(super) const PARTS_MAX: usize = 2_000;

const PARTITIONS: &str = "SELECT pn.nspname::text AS schema, p.relname::text AS name, greatest(p.reltuples, 0)::int8 AS rows, \
    (regexp_match(pg_get_expr(p.relpartbound, p.oid), 'TO \\(''([^'']+)''\\)'))[1]::timestamptz AS upper, \
    h.inhdetachpending AS detaching, pg_get_expr(p.relpartbound, p.oid) = 'DEFAULT' AS is_default, \
    obj_description(p.oid, 'pg_class') AS comment \
    FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace \
    WHERE h.inhparent = $1::int8::oid ORDER BY 4, 1, 2";

/// What an earlier run detached and did not drop: it bears our mark, and is no partition of anything.
const DETACHED: &str = "SELECT n.nspname::text AS schema, c.relname::text AS name, greatest(c.reltuples, 0)::int8 AS rows, \
    d.description AS comment \
    FROM pg_description d JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0 \
    JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE starts_with(d.description, $1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1, 2";

/// What is being detached is no longer a part of its table.
const PARTS: &str = "WITH RECURSIVE tree AS (SELECT $1::int8::oid AS oid UNION \
    SELECT h.inhrelid FROM pg_inherits h JOIN tree ON h.inhparent = tree.oid WHERE NOT h.inhdetachpending) \
    SELECT n.nspname::text AS schema, c.relname::text AS name, c.relkind = 'f' AS is_foreign \
    FROM tree JOIN pg_class c ON c.oid = tree.oid JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'f') AND (c.relpersistence <> 't' OR pg_my_temp_schema() = n.oid) ORDER BY 1, 2 LIMIT $2";

/// The tables that rows of table `oid` are in, itself among them, with whether they are on another server. At most one
/// more than may be.
pub(super) async fn parts(session: &mut Session, oid: i64) -> Result<Vec<(TableName, bool)>, sqlx::Error> {
    let limit = i64::try_from(PARTS_MAX + 1).unwrap_or(i64::MAX);
    let rows = sqlx::query(PARTS).bind(oid).bind(limit).fetch_all(&mut session.connection).await?;
    let read = rows.iter().map(|row| {
        let name = TableName::of_catalog(row.try_get("schema")?, row.try_get("name")?);
        Ok((name, row.try_get("is_foreign")?))
    });
    read.collect()
}

/// Which partitions of table `oid` go is what scaling's planner says.
pub(super) async fn partitions(
    session: &mut Session,
    policy: &RetentionPolicy,
    now: DateTime<Utc>,
    oid: i64,
    facts: &mut TableFacts,
) -> Result<(), sqlx::Error> {
    let cutoff = policy.cutoff(now);
    let mut known = PartitionFacts::default();
    let (mut tables, mut marked) = (Vec::new(), Vec::new());
    for row in sqlx::query(PARTITIONS).bind(oid).fetch_all(&mut session.connection).await? {
        let name = TableName::of_catalog(row.try_get("schema")?, row.try_get("name")?);
        let comment: Option<String> = row.try_get("comment")?;
        let mark = comment.and_then(|comment| Mark::read(&policy.table, &comment));
        let (to, detaching): (Option<DateTime<Utc>>, bool) =
            (row.try_get("upper")?, row.try_get("detaching")?);
        let rows = row.try_get::<i64, _>("rows")?.unsigned_abs();
        if row.try_get("is_default")? {
            facts.default_partition = Some(name.to_string());
        } else if detaching {
            // What others detach is theirs, and what a longer span keeps now is no longer to go.
            if mark.is_some_and(|mark| mark.to <= cutoff) && to.is_none_or(|to| to <= cutoff) {
                let to = mark.map(|mark| mark.to);
                tables.push(ExpiredPartition::new(name, to, PartitionState::Detaching, rows));
            } else {
                facts.left_detaching.push(name);
            }
        } else {
            known.partitions.push(Partition { name: name.to_string(), from: None, to, detaching });
            if mark.is_some() {
                marked.push(ExpiredPartition::new(name.clone(), to, PartitionState::Marked, rows));
            }
            tables.push(ExpiredPartition::new(name, to, PartitionState::Attached, rows));
        }
    }
    let planned = PartitionPolicy::daily(policy.table.table(), policy.keep);
    let PartitionPlan { steps, .. } = plan_partitions(&known, &planned, now);
    let goes = |table: &ExpiredPartition| {
        let name = table.name.to_string();
        steps.iter().any(|step| matches!(step, PartitionStep::Detach { name: gone } if *gone == name))
    };
    tables.retain(|table| table.state == PartitionState::Detaching || goes(table));
    marked.retain(|table| !goes(table));
    // Postgres detaches one partition of a table at a time.
    tables.sort_by_key(|table| table.state != PartitionState::Detaching);
    tables.append(&mut marked);
    tables.append(&mut detached(session, policy, cutoff).await?);
    facts.partitions = Some(tables);
    Ok(())
}

async fn detached(
    session: &mut Session,
    policy: &RetentionPolicy,
    cutoff: DateTime<Utc>,
) -> Result<Vec<ExpiredPartition>, sqlx::Error> {
    let mut tables = Vec::new();
    let query = sqlx::query(DETACHED).bind(Mark::beginning(&policy.table));
    for row in query.fetch_all(&mut session.connection).await? {
        let Some(mark) = Mark::read(&policy.table, row.try_get("comment")?) else { continue };
        if mark.to <= cutoff {
            let name = TableName::of_catalog(row.try_get("schema")?, row.try_get("name")?);
            let rows = row.try_get::<i64, _>("rows")?.unsigned_abs();
            tables.push(ExpiredPartition::new(name, Some(mark.to), PartitionState::Detached, rows));
        }
    }
    Ok(tables)
}
