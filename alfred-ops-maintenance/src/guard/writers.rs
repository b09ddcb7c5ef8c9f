//! Who still writes to protected tables.

use std::collections::BTreeMap;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, JobContext, Result};

use super::plan::listed;
use super::rows::Rows;
use crate::postgres::Session;

/// How long they may take, unless the host says otherwise.
pub(super) const SETTLING_WITHIN: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(50);

/// Sessions that hold or await a lock on a protected table, or a partition of one, with which rows or the table are changed.
/// A prepared transaction has no session. Autovacuum, which belongs to nobody, changes nothing.
const WRITERS: &str = "\
    WITH RECURSIVE family(relation) AS ( \
        SELECT to_regclass(name)::oid FROM unnest($1::text[]) name \
        UNION SELECT i.inhrelid FROM pg_inherits i JOIN family f ON f.relation = i.inhparent) \
    SELECT DISTINCT coalesce(l.pid::text, l.virtualtransaction), \
        CASE WHEN l.pid IS NULL THEN 'a prepared transaction' \
        ELSE format('session %s (%s)', l.pid, coalesce(nullif(a.application_name, ''), 'without a name')) END \
    FROM pg_locks l JOIN family f ON f.relation = l.relation LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
    WHERE l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
        AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') AND l.pid IS DISTINCT FROM pg_backend_pid() \
        AND (a.pid IS NULL OR a.usesysid IS NOT NULL)";

/// Waits until everybody has ended who writes to these tables at this moment. Whoever begins later is not waited for.
///
/// # Errors
/// `Unavailable` if that takes longer than `within`; the server's.
pub(super) async fn settle(
    session: &mut Session,
    tables: &[Rows],
    within: Duration,
    context: &JobContext,
) -> Result<()> {
    let began = context.clock.monotonic();
    let names: Vec<String> = tables.iter().map(|rows| rows.table().to_string()).collect();
    let mut writers = look(session, &names).await?;
    while !writers.is_empty() {
        if context.clock.monotonic().saturating_sub(began) >= within {
            let all: Vec<&str> = writers.values().map(String::as_str).collect();
            let message = format!(
                "what has become of the change cannot be judged: still at work on what is protected after {within:?}: {}",
                listed(&all)
            );
            return Err(Error::new(ErrorKind::Unavailable, "go back", message)
                .with_remedy("wait for them or end them with pg_terminate_backend, and call Guard::resume"));
        }
        context.clock.sleep(POLL).await;
        let now = look(session, &names).await?;
        writers.retain(|key, _| now.contains_key(key));
    }
    Ok(())
}

async fn look(session: &mut Session, names: &[String]) -> Result<BTreeMap<String, String>> {
    let read: std::result::Result<Vec<(String, String)>, _> =
        sqlx::query_as(WRITERS).bind(names).fetch_all(&mut session.connection).await;
    let rows = read.map_err(|source| session.failed("look for those who write", source))?;
    Ok(rows.into_iter().collect())
}
