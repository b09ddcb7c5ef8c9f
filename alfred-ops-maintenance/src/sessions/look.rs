//! Looking at the sessions.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::{SessionFacts, SessionState, SessionView};
use crate::postgres::{Session, quoted};

const SERVER: &str = "SELECT current_user::text AS role, \
    pg_has_role('pg_signal_backend', 'USAGE') AS signals, pg_has_role('pg_read_all_stats', 'USAGE') AS sees, \
    current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8 AS allowed";

/// Whether a session of `pg_stat_activity`, here `a`, does maintenance.
pub(super) const MAINTENANCE: &str = "(EXISTS (SELECT FROM pg_stat_progress_vacuum p WHERE p.pid = a.pid) \
    OR EXISTS (SELECT FROM pg_stat_progress_analyze p WHERE p.pid = a.pid) \
    OR EXISTS (SELECT FROM pg_stat_progress_copy p WHERE p.pid = a.pid) \
    OR EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid) \
    OR EXISTS (SELECT FROM pg_stat_progress_cluster p WHERE p.pid = a.pid) \
    OR EXISTS (SELECT FROM pg_stat_progress_basebackup p WHERE p.pid = a.pid) \
    OR a.application_name LIKE 'pg\\_dump%')";

/// What a session listens to nobody else can see; its last statement tells, as long as it ran none since.
/// Who waits for a lock is asked whom he waits for: a join over locks names innocent ones.
const SESSIONS: &str = "SELECT a.pid, a.backend_start, a.xact_start, coalesce(a.usename, '')::text AS role, \
    coalesce(a.application_name, '') AS application, a.backend_type = 'client backend' AS client, \
    coalesce(r.rolsuper, false) AS superuser, coalesce(a.state, '') AS state, \
    extract(epoch FROM clock_timestamp() - coalesce(a.state_change, a.backend_start))::float8 AS state_for, \
    a.state_change, {maintenance} AS maintenance, coalesce(a.query ~* '\\mlisten\\M', false) \
    OR EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.granted) AS relied_on, \
    CASE WHEN a.wait_event_type = 'Lock' THEN (SELECT extract(epoch FROM clock_timestamp() - min(l.waitstart))::float8 \
    FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted) END AS waits_for, \
    CASE WHEN a.wait_event_type = 'Lock' THEN pg_blocking_pids(a.pid) ELSE '{}' END AS blocked_by \
    FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid \
    WHERE a.pid <> pg_backend_pid() AND a.backend_start IS NOT NULL ORDER BY a.pid";

pub(crate) async fn facts(session: &mut Session) -> Result<SessionFacts, sqlx::Error> {
    let row = sqlx::query(SERVER).fetch_one(&mut session.connection).await?;
    let role: String = row.try_get("role")?;
    let mut lacks = Vec::new();
    for (column, right) in [("signals", "pg_signal_backend"), ("sees", "pg_read_all_stats")] {
        if !row.try_get::<bool, _>(column)? {
            lacks.push(right);
        }
    }
    let missing = (!lacks.is_empty()).then(|| {
        format!(
            "the role does not see or may not end others' sessions; run GRANT {} TO {}",
            lacks.join(", "),
            quoted(&role)
        )
    });
    let allowed: i64 = row.try_get("allowed")?;
    let sql = SESSIONS.replace("{maintenance}", MAINTENANCE);
    let rows = sqlx::query(AssertSqlSafe(sql.as_str())).fetch_all(&mut session.connection).await?;
    Ok(SessionFacts {
        missing,
        connections_max: u64::try_from(allowed).unwrap_or(0),
        sessions: rows.iter().map(view).collect::<Result<_, _>>()?,
        ..SessionFacts::default()
    })
}

fn view(row: &PgRow) -> Result<SessionView, sqlx::Error> {
    let span = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let state = match row.try_get("state")? {
        "idle" => SessionState::Idle,
        "idle in transaction" | "idle in transaction (aborted)" => SessionState::IdleInTransaction,
        _ => SessionState::Active,
    };
    Ok(SessionView {
        pid: row.try_get("pid")?,
        began_at: row.try_get("backend_start")?,
        transaction_at: row.try_get("xact_start")?,
        role: row.try_get("role")?,
        application: row.try_get("application")?,
        is_client: row.try_get("client")?,
        is_superuser: row.try_get("superuser")?,
        is_maintenance: row.try_get("maintenance")?,
        is_relied_on: row.try_get("relied_on")?,
        state,
        state_at: row.try_get("state_change")?,
        state_for: span(row.try_get("state_for")?),
        waits_for: row.try_get::<Option<f64>, _>("waits_for")?.map(span),
        blocked_by: row.try_get("blocked_by")?,
    })
}
