//! How those fare who share the server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{PostgresOptions, Result, SharedClock};
use sqlx::Row as _;

use super::look::{LOOK_LOCK_TIMEOUT, LOOK_TIMEOUT};
use super::{Pulse, VacuumPulse};
use crate::Turn;
use crate::postgres::{SEES_ALL, Session, code_of};

/// How often the application's commits are measured, and how often replicas and waiting sessions are looked at.
const COMMIT_EVERY: Duration = Duration::from_millis(100);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Commits that are measured before the run.
const BASELINE: usize = 5;

/// A transaction that touches nothing and whose commit has to reach the disk as the application's do.
const COMMIT: &str = "SELECT pg_current_xact_id()::text";

const LOOK: &str = "SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))::int8 AS lag, \
    coalesce(bool_or(state IS NULL), false) AS blind, \
    (SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))::int8 FROM pg_replication_slots) AS slot, \
    pg_stat_get_live_tuples($2::text::regclass) AS live, pg_stat_get_dead_tuples($2::text::regclass) AS dead, \
    EXISTS (SELECT FROM pg_stat_progress_vacuum p WHERE p.relid = $2::text::regclass) AS vacuums, \
    EXISTS (SELECT FROM pg_stat_activity a JOIN pg_class c ON c.oid = $2::text::regclass \
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE a.query LIKE 'autovacuum: VACUUM %' \
    AND a.query LIKE '%(to prevent wraparound)' AND strpos(a.query, ' ' || n.nspname || '.' || c.relname || ' ') > 0) AS freezes, \
    (SELECT count(*) FROM pg_stat_activity a WHERE a.wait_event_type = 'Lock' AND $1 = ANY (pg_blocking_pids(a.pid))) AS waiters \
    FROM pg_stat_replication";

/// What the host knows of its own commits.
#[derive(Clone)]
pub(super) struct HostCanary(pub(super) Arc<dyn Fn() -> Option<Duration> + Send + Sync>);

impl fmt::Debug for HostCanary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostCanary")
    }
}

/// Watches, on a connection of its own, how those fare who share the server.
pub(super) struct Vitals {
    pub(super) session: Session,
    host: Option<HostCanary>,
    clock: SharedClock,
    /// The backend whose locks others might wait for.
    worker: i32,
    /// The table that rows are deleted from, as SQL has it.
    table: String,
    commit_at: Duration,
    look_at: Duration,
    told_blind: bool,
}

impl Vitals {
    pub(super) async fn begin(
        server: &PostgresOptions,
        about: &str,
        host: Option<HostCanary>,
        worker: i32,
        clock: SharedClock,
    ) -> Result<Self> {
        // Whatever the role's default is: a commit of the canary is a real one.
        let settings = [("synchronous_commit", "on"), SEES_ALL];
        let session = Session::open(server, about, LOOK_TIMEOUT, LOOK_LOCK_TIMEOUT, &settings).await?;
        let (commit_at, look_at) = (Duration::ZERO, Duration::ZERO);
        let table = about.to_owned();
        Ok(Self { session, host, clock, worker, table, commit_at, look_at, told_blind: false })
    }

    /// How long commits take while the run does nothing.
    pub(super) async fn baseline(&mut self) -> Result<Option<Duration>> {
        let mut commits = Vec::new();
        for _ in 0..BASELINE {
            commits.extend(self.commit().await?);
        }
        commits.sort_unstable();
        Ok(commits.get(commits.len() / 2).copied())
    }

    /// What is seen while a batch runs. Most times there is nothing to look at yet.
    pub(super) async fn pulse(&mut self) -> Result<(Pulse, bool)> {
        let now = self.clock.monotonic();
        let (mut pulse, mut blind) = (Pulse::default(), false);
        if now >= self.commit_at {
            self.commit_at = now + COMMIT_EVERY;
            pulse.commit = self.commit().await?;
        }
        if now >= self.look_at {
            self.look_at = now + LOOK_EVERY;
            blind = self.look(&mut pulse).await?;
        }
        Ok((pulse, blind))
    }

    /// Whether replicas are there that cannot be seen. Of a table that has vanished nothing is known.
    async fn look(&mut self, pulse: &mut Pulse) -> Result<bool> {
        let row = sqlx::query(LOOK)
            .bind(self.worker)
            .bind(&self.table)
            .fetch_one(&mut self.session.connection)
            .await;
        if let Err(source) = &row
            && code_of(source).as_deref() == Some("42P01")
        {
            return Ok(false);
        }
        let read = row.and_then(|row| {
            let bytes = |column| {
                let bytes = row.try_get::<Option<i64>, _>(column);
                bytes.map(|bytes| bytes.map(|bytes| u64::try_from(bytes).unwrap_or(0)))
            };
            (pulse.lag_bytes, pulse.slot_bytes) = (bytes("lag")?, bytes("slot")?);
            pulse.waiters = row.try_get::<i64, _>("waiters")?.unsigned_abs();
            pulse.vacuum = Some(VacuumPulse {
                live: bytes("live")?.unwrap_or(0),
                dead: bytes("dead")?.unwrap_or(0),
                is_running: row.try_get("vacuums")?,
                freezes: row.try_get("freezes")?,
            });
            row.try_get("blind")
        });
        read.map_err(|source| self.session.failed("look at replicas", source))
    }

    /// Says once that replicas cannot be seen.
    pub(super) fn tell_blind(&mut self, blind: bool, turn: &mut Turn<'_>) {
        if blind && !self.told_blind {
            self.told_blind = true;
            turn.note("how far replicas are behind cannot be seen; GRANT pg_monitor to the role");
        }
    }

    async fn commit(&mut self) -> Result<Option<Duration>> {
        if let Some(HostCanary(ask)) = &self.host {
            return Ok(ask());
        }
        let started = self.clock.monotonic();
        let done = sqlx::query(COMMIT).execute(&mut self.session.connection).await;
        done.map_err(|source| self.session.failed("commit", source))?;
        Ok(Some(self.clock.monotonic().saturating_sub(started)))
    }
}
