//! Looking at the table of tasks.

use std::time::Duration;

use alfred_ops_core::Result;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::{Heartbeat, RequeueFacts, RequeuePolicy, StuckTask};
use crate::TableName;
use crate::postgres::{Session, code_of, quoted};

/// More would make a plan that nobody reads; the next run takes the rest.
const TASKS_MAX: usize = 10_000;

const COLUMNS: &str = "SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, \
    current_user::text AS role, \
    has_table_privilege(c.oid, 'SELECT') AS sel, has_table_privilege(c.oid, 'UPDATE') AS upd \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid \
    WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped";

/// From which rows, with how long each has run and its worker has been silent, in SQL: the same in a look and in what
/// follows from it.
pub(super) struct Sources {
    /// `FROM` with the tasks as `t`.
    pub(super) from: String,
    /// Since when its worker gave no sign of life.
    pub(super) alive_at: String,
    /// Which rows run for longer than they may.
    pub(super) overrun: String,
}

impl Sources {
    pub(super) fn of(policy: &RequeuePolicy) -> Self {
        let columns = &policy.columns;
        let [started, assigned, status] =
            [&columns.started_at, &columns.assigned_to, &columns.status].map(|name| quoted(name));
        // A task without a beginning was never begun by anybody who lives.
        let started = format!("coalesce(t.{started}, '-infinity')");
        let heartbeat = match &policy.heartbeat {
            Heartbeat::Task { column } => format!("t.{}", quoted(column)),
            Heartbeat::Worker { table, name, column } => format!(
                "(SELECT max(w.{}) FROM {table} w WHERE w.{}::text = t.{assigned}::text)",
                quoted(column),
                quoted(name)
            ),
        };
        Self {
            from: format!("{} AS t", policy.tasks),
            alive_at: format!("greatest({started}, coalesce({heartbeat}, '-infinity'))"),
            overrun: format!(
                "t.{status}::text = $1 AND {started} < now() - t.{}::float8 * interval '1 second'",
                quoted(&columns.timeout_seconds)
            ),
        }
    }
}

pub(super) async fn look(session: &mut Session, policy: &RequeuePolicy) -> Result<RequeueFacts> {
    match facts(session, policy).await {
        Ok(facts) => Ok(facts),
        // It vanished while we looked: the next look says so.
        Err(source) if code_of(&source).as_deref() == Some("42P01") => {
            let obstacles = vec!["a table vanished while it was looked at".to_owned()];
            Ok(RequeueFacts { obstacles, ..RequeueFacts::default() })
        }
        Err(source) => Err(session.failed("look at tasks", source)),
    }
}

async fn facts(session: &mut Session, policy: &RequeuePolicy) -> Result<RequeueFacts, sqlx::Error> {
    let mut facts = RequeueFacts::default();
    let mut needed: Vec<&str> = policy.columns.all().to_vec();
    needed.push(&policy.epoch);
    if let Heartbeat::Task { column } = &policy.heartbeat {
        needed.push(column);
    }
    let types = check(session, &policy.tasks, &needed, true, &mut facts.obstacles).await?;
    facts.id_type =
        types.into_iter().find(|(name, _)| *name == policy.columns.id).map_or_else(String::new, |(_, is)| is);
    if let Heartbeat::Worker { table, name, column } = &policy.heartbeat {
        check(session, table, &[name, column], false, &mut facts.obstacles).await?;
    }
    if !facts.obstacles.is_empty() {
        return Ok(facts);
    }
    let Sources { from, alive_at, overrun } = Sources::of(policy);
    let columns = &policy.columns;
    // Infinite times can be told apart as numbers, but not subtracted.
    let seconds =
        |since: &str| format!("least(extract(epoch FROM now()) - extract(epoch FROM {since}), 1e9)::float8");
    let sql = format!(
        "SELECT t.{id}::text AS id, t.{worker}::text AS worker, t.{epoch}::int8 AS epoch, t.{retries}::int8 AS retries, \
         t.{max}::int8 AS max, {runs} AS runs, {silent} AS silent FROM {from} WHERE {overrun} \
         ORDER BY t.{started}, t.{id} LIMIT {limit}",
        id = quoted(&columns.id),
        worker = quoted(&columns.assigned_to),
        epoch = quoted(&policy.epoch),
        retries = quoted(&columns.retry_count),
        max = quoted(&columns.max_retries),
        runs = seconds(&format!("coalesce(t.{}, '-infinity')", quoted(&columns.started_at))),
        silent = seconds(&alive_at),
        started = quoted(&columns.started_at),
        limit = TASKS_MAX,
    );
    let rows = sqlx::query(AssertSqlSafe(sql.as_str()))
        .bind(&policy.processing)
        .fetch_all(&mut session.connection)
        .await?;
    facts.is_full = rows.len() == TASKS_MAX;
    facts.tasks = rows.iter().map(task).collect::<Result<_, _>>()?;
    Ok(facts)
}

/// The types of a table's columns; what is missing becomes an obstacle.
async fn check(
    session: &mut Session,
    table: &TableName,
    needed: &[&str],
    changes: bool,
    obstacles: &mut Vec<String>,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    let rows = sqlx::query(COLUMNS)
        .bind(table.schema())
        .bind(table.table())
        .fetch_all(&mut session.connection)
        .await?;
    let Some(first) = rows.first() else {
        obstacles.push(format!("there is no table {table}; check the policy"));
        return Ok(Vec::new());
    };
    let role: String = first.try_get("role")?;
    let may_read: bool = first.try_get("sel")?;
    let may_change: bool = first.try_get("upd")?;
    let lacks: Vec<&str> = [(!may_read).then_some("SELECT"), (changes && !may_change).then_some("UPDATE")]
        .into_iter()
        .flatten()
        .collect();
    if !lacks.is_empty() {
        let rights = lacks.join(", ");
        obstacles.push(format!("the role lacks rights; run GRANT {rights} ON {table} TO {}", quoted(&role)));
    }
    let mut types = Vec::new();
    for row in &rows {
        types.push((row.try_get("name")?, row.try_get("type")?));
    }
    for name in needed {
        if !types.iter().any(|(known, _): &(String, String)| known == name) {
            obstacles.push(format!("{table} has no column {name:?}; check the policy"));
        }
    }
    Ok(types)
}

fn task(row: &PgRow) -> Result<StuckTask, sqlx::Error> {
    let span = |column| -> Result<Duration, sqlx::Error> {
        let seconds: f64 = row.try_get(column)?;
        Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    };
    Ok(StuckTask {
        id: row.try_get("id")?,
        worker: row.try_get("worker")?,
        epoch: row.try_get("epoch")?,
        retries: row.try_get("retries")?,
        retries_max: row.try_get("max")?,
        runs_for: span("runs")?,
        silent_for: span("silent")?,
    })
}
