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
    current_user::text AS role, row_security_active(c.oid) AS guarded, \
    has_table_privilege(c.oid, 'SELECT') AS sel, has_table_privilege(c.oid, 'UPDATE') AS upd \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid \
    WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped";

/// From which rows, with how long each has run and its worker has been silent, in SQL: the same in a look and in what
/// follows from it.
pub(super) struct Sources {
    /// `FROM` with the tasks as `t`.
    pub(super) from: String,
    /// When it was claimed.
    pub(super) claimed: String,
    /// For how many seconds it may run.
    pub(super) timeout: String,
    /// Its epoch, and how often it was tried again.
    pub(super) epoch: String,
    pub(super) retries: String,
    /// Since when its worker gave no sign of life.
    pub(super) alive_at: String,
    /// Which rows run for longer than they may.
    pub(super) overrun: String,
}

impl Sources {
    pub(super) fn of(policy: &RequeuePolicy) -> Self {
        let columns = &policy.columns;
        let [started, updated, status, epoch, retries, timeout] = [
            &columns.started_at,
            &columns.updated_at,
            &columns.status,
            &policy.epoch,
            &columns.retry_count,
            &columns.timeout_seconds,
        ]
        .map(|name| quoted(name));
        // Without a time of the claim: it was not claimed after the row was last written. Without that either: long ago.
        let claimed = format!("coalesce(t.{started}, t.{updated}, '-infinity')");
        // Nothing that stands in a row makes an interval too long to be one.
        let timeout = format!(
            "least(greatest(coalesce(t.{timeout}::float8, {}), 0), 1e9)",
            policy.timeout_default.as_secs_f64()
        );
        Self {
            from: format!("{} AS t", policy.tasks),
            alive_at: format!("greatest({claimed}, coalesce({}, '-infinity'))", sign_of_life(policy)),
            overrun: format!("t.{status}::text = $1 AND {claimed} < now() - {timeout} * interval '1 second'"),
            claimed,
            timeout,
            epoch: format!("coalesce(t.{epoch}::int8, 0)"),
            retries: format!("coalesce(t.{retries}::int8, 0)"),
        }
    }
}

/// The last sign of life of whoever claimed a task `t`, in SQL.
fn sign_of_life(policy: &RequeuePolicy) -> String {
    let (table, name, column, process_started_at, claimed_by) = match &policy.heartbeat {
        Heartbeat::Task { column } => return format!("t.{}", quoted(column)),
        Heartbeat::Worker { table, name, column, process_started_at, claimed_by } => {
            (table, quoted(name), quoted(column), process_started_at, claimed_by)
        }
    };
    let claimed_by = quoted(claimed_by.as_ref().unwrap_or(&policy.columns.assigned_to));
    // Who began after the claim is another, and the one who claimed gave its last sign before that. Of a claim without a
    // time nobody can tell.
    let sign = process_started_at.as_ref().map_or_else(
        || format!("w.{column}"),
        |began| {
            let (began, claim) = (quoted(began), quoted(&policy.columns.started_at));
            format!("CASE WHEN w.{began} > t.{claim} THEN least(w.{began}, w.{column}) ELSE w.{column} END")
        },
    );
    format!("(SELECT max({sign}) FROM {table} w WHERE w.{name}::text = t.{claimed_by}::text)")
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
    needed.extend(policy.heartbeat.task_column());
    let types = check(session, &policy.tasks, &needed, true, &mut facts.obstacles).await?;
    facts.id_type =
        types.into_iter().find(|(name, _)| *name == policy.columns.id).map_or_else(String::new, |(_, is)| is);
    if let Heartbeat::Worker { table, name, column, process_started_at, .. } = &policy.heartbeat {
        let mut needed = vec![name.as_str(), column.as_str()];
        needed.extend(process_started_at.as_deref());
        check(session, table, &needed, false, &mut facts.obstacles).await?;
    }
    if !facts.obstacles.is_empty() {
        return Ok(facts);
    }
    let Sources { from, claimed, timeout, epoch, retries, alive_at, overrun } = Sources::of(policy);
    let columns = &policy.columns;
    // Infinite times can be told apart as numbers, but not subtracted. All is longer ago than any timeout lasts.
    let seconds =
        |since: &str| format!("least(extract(epoch FROM now()) - extract(epoch FROM {since}), 1e10)::float8");
    let sql = format!(
        "SELECT t.{id}::text AS id, t.{worker}::text AS worker, {epoch} AS epoch, {retries} AS retries, \
         coalesce(t.{max}::int8, {max_default}) AS max, {runs} AS runs, {timeout}::float8 AS timeout, {silent} AS silent \
         FROM {from} WHERE {overrun} ORDER BY {claimed}, t.{id} LIMIT {limit}",
        id = quoted(&columns.id),
        worker = quoted(&columns.assigned_to),
        max = quoted(&columns.max_retries),
        max_default = policy.retries_max_default,
        runs = seconds(&claimed),
        silent = seconds(&alive_at),
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
    if first.try_get("guarded")? {
        obstacles.push(format!(
            "row security hides rows of {table} from the role; let the table's owner look, or run ALTER ROLE {} BYPASSRLS",
            quoted(&role)
        ));
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
        timeout: span("timeout")?,
        silent_for: span("silent")?,
    })
}
