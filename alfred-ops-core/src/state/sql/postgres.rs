//! A store in Postgres.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};

use super::failure::{Effect, failure, migration};
use super::row::{document, encode, from_sql, to_sql};
use crate::state::key::{KEY_END, check_key, check_prefix};
use crate::state::write::conflict;
use crate::{
    Clock as _, Document, Error, ErrorKind, Expected, Fence, LIST_LIMIT_MAX, PostgresOptions, Result,
    StateStore, SystemClock, Write,
};

/// Coordination is a few statements a second; the platform's database has better uses for connections.
const CONNECTIONS_MAX: u32 = 4;
/// A server that gives no connection for so long is away.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// "alfred" in ASCII, and a one: the advisory lock under which tables are migrated.
const MIGRATION_LOCK: i64 = 0x0061_6c66_7265_6401;
/// Polling and not waiting: a waiting statement would hold back every `CREATE INDEX CONCURRENTLY`.
const MIGRATION_POLL: Duration = Duration::from_millis(100);
const MIGRATION_POLLS_MAX: u32 = 300;

/// Documents in Postgres: the store for replicas on several machines. Clones share the connections.
///
/// Its tables live in the schema `alfred_ops`, which it makes: the role needs `CREATE` on the database at the
/// first start. Every write is one statement, so that a paused process never holds a lock.
#[derive(Debug, Clone)]
pub struct PostgresStateStore {
    pool: PgPool,
}

impl PostgresStateStore {
    /// Connects and makes the tables. Processes that start together migrate in turn.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) if the server is away,
    /// [`Unsupported`](ErrorKind::Unsupported) for tables of another version.
    pub async fn connect(options: &PostgresOptions) -> Result<Self> {
        let target = options.to_string();
        let failed = failure("connect to state database", &target, Effect::Read);
        let connect = options.to_url().expose().parse::<PgConnectOptions>().map_err(&failed)?.options([
            // The far side's limits: a client that vanished leaves nothing behind for long.
            ("statement_timeout", "8s"),
            ("lock_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "10s"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(CONNECT_LIMIT)
            .connect_with(connect)
            .await
            .map_err(&failed)?;
        let mut connection = pool.acquire().await.map_err(&failed)?.detach();
        migrate(&mut connection, &target).await?;
        // The lock goes with its session.
        sqlx::Connection::close(connection).await.map_err(&failed)?;
        Ok(Self { pool })
    }

    /// Closes the connections. Dropping the last clone does so in the background.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Why a fenced write changed nothing.
    async fn refusal(
        &self,
        operation: &'static str,
        key: &str,
        expected: Expected,
        fence: Option<&Fence>,
    ) -> Result<Error> {
        if let Some(fence) = fence {
            let lease = self.get(&fence.document_key()).await?;
            if let Err(fenced) = fence.judge(operation, lease.as_ref().map(|document| &document.value)) {
                return Ok(fenced);
            }
        }
        Ok(conflict(operation, key, expected))
    }
}

async fn migrate(connection: &mut PgConnection, target: &str) -> Result<()> {
    let clock = SystemClock::new();
    let mut polls = 0;
    while !sqlx::query_scalar::<_, bool>("SELECT pg_try_advisory_lock($1)")
        .bind(MIGRATION_LOCK)
        .fetch_one(&mut *connection)
        .await
        .map_err(failure("lock state tables", target, Effect::Read))?
    {
        polls += 1;
        if polls >= MIGRATION_POLLS_MAX {
            let fault = "another process has been migrating the tables for half a minute";
            return Err(Error::new(ErrorKind::Unavailable, "lock state tables", fault)
                .with_target(target)
                .with_remedy("look in pg_locks who holds the advisory lock"));
        }
        clock.sleep(MIGRATION_POLL).await;
    }
    let sql = include_str!("../../../migrations/postgres/0001_state.sql").into_sql_str();
    let mut migrator =
        Migrator::with_migrations(vec![Migration::new(1, "state".into(), MigrationType::Simple, sql, false)]);
    migrator.create_schema("alfred_ops");
    migrator.dangerous_set_table_name("alfred_ops.migrations");
    // An older version must start after a newer one.
    migrator.set_ignore_missing(true);
    migrator.set_locking(false);
    migrator.run_direct(None, connection, false).await.map_err(|error| migration(target, error))
}

// Each write is one statement. The lease's row is read under a share lock at the row's newest version, so that a
// change of owner happens either before the write, which then changes nothing, or after it.
// $4 is the lease's key, null for a write without fence; $5 is the fence's epoch.
const CREATE: &str = "WITH lease AS MATERIALIZED
        (SELECT (value ->> 'epoch')::numeric AS epoch FROM alfred_ops.state WHERE key = $4 FOR SHARE)
    INSERT INTO alfred_ops.state (key, value)
    SELECT $1, $2::json WHERE $3 IS NULL AND ($4 IS NULL OR EXISTS (SELECT FROM lease WHERE epoch <= $5))
    ON CONFLICT (key) DO NOTHING RETURNING version";
const REPLACE: &str = "WITH lease AS MATERIALIZED
        (SELECT (value ->> 'epoch')::numeric AS epoch FROM alfred_ops.state WHERE key = $4 FOR SHARE)
    UPDATE alfred_ops.state
    SET value = $2::json, version = nextval('alfred_ops.state_version'), updated_at = clock_timestamp()
    WHERE key = $1 AND version = $3 AND ($4 IS NULL OR EXISTS (SELECT FROM lease WHERE epoch <= $5))
    RETURNING version";
const DELETE: &str = "WITH lease AS MATERIALIZED
        (SELECT (value ->> 'epoch')::numeric AS epoch FROM alfred_ops.state WHERE key = $3 FOR SHARE)
    DELETE FROM alfred_ops.state
    WHERE key = $1 AND version = $2 AND ($3 IS NULL OR EXISTS (SELECT FROM lease WHERE epoch <= $4))";

#[async_trait]
impl StateStore for PostgresStateStore {
    async fn get(&self, key: &str) -> Result<Option<Document>> {
        check_key("get state", key)?;
        let row: Option<(String, i64, DateTime<Utc>)> = sqlx::query_as(
            "SELECT value::text, version, clock_timestamp() FROM alfred_ops.state WHERE key = $1",
        )
        .bind(key)
        .fetch_optional(&self.pool)
        .await
        .map_err(failure("get state", key, Effect::Read))?;
        row.map(|(text, version, now)| document(key.to_owned(), &text, version, now)).transpose()
    }

    async fn put(&self, write: &Write) -> Result<u64> {
        write.check()?;
        let (sql, expected) = match write.expected {
            Expected::Absent => (CREATE, None),
            Expected::Version(version) => (REPLACE, Some(to_sql(version))),
        };
        let fence = write.fence.as_ref();
        let version: Option<i64> = sqlx::query_scalar(sql)
            .bind(&write.key)
            .bind(encode("put state", &write.value)?)
            .bind(expected)
            .bind(fence.map(Fence::document_key))
            .bind(fence.map(|fence| to_sql(fence.epoch)))
            .fetch_optional(&self.pool)
            .await
            .map_err(failure("put state", &write.key, Effect::Write))?;
        match version {
            Some(version) => from_sql(version),
            None => Err(self.refusal("put state", &write.key, write.expected, fence).await?),
        }
    }

    async fn delete(&self, key: &str, expected: Expected, fence: Option<Fence>) -> Result<()> {
        check_key("delete state", key)?;
        let fence = fence.as_ref();
        let Expected::Version(version) = expected else {
            let refused = self.refusal("delete state", key, expected, fence).await?;
            return match self.get(key).await? {
                None if refused.kind() != ErrorKind::Fenced => Ok(()),
                _ => Err(refused),
            };
        };
        let done = sqlx::query(DELETE)
            .bind(key)
            .bind(to_sql(version))
            .bind(fence.map(Fence::document_key))
            .bind(fence.map(|fence| to_sql(fence.epoch)))
            .execute(&self.pool)
            .await
            .map_err(failure("delete state", key, Effect::Write))?;
        if done.rows_affected() == 1 {
            return Ok(());
        }
        Err(self.refusal("delete state", key, expected, fence).await?)
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Document>> {
        check_prefix("list state", prefix)?;
        check_prefix("list state", after)?;
        let rows: Vec<(String, String, i64, DateTime<Utc>)> = sqlx::query_as(
            "SELECT key, value::text, version, clock_timestamp() FROM alfred_ops.state
             WHERE key >= $1 AND key < $2 AND key > $3 ORDER BY key LIMIT $4",
        )
        .bind(prefix)
        .bind(format!("{prefix}{KEY_END}"))
        .bind(after)
        .bind(i64::try_from(limit.min(LIST_LIMIT_MAX)).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(failure("list state", prefix, Effect::Read))?;
        rows.into_iter().map(|(key, text, version, now)| document(key, &text, version, now)).collect()
    }
}
