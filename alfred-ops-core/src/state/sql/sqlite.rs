//! A store in one file.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{SqlSafeStr as _, SqliteConnection};

use super::failure::{Effect, failure, migration};
use super::row::{decode, document, encode, from_sql, to_sql};
use crate::state::key::{KEY_END, check_key, check_prefix};
use crate::state::write::conflict;
use crate::{Document, ErrorKind, Expected, Fence, LIST_LIMIT_MAX, Result, SharedClock, StateStore, Write};

/// SQLite takes one writer at a time; more connections only serve readers.
const CONNECTIONS_MAX: u32 = 4;
/// Writers of other processes are waited for so long.
const BUSY_LIMIT: Duration = Duration::from_secs(5);
/// Processes that start together open and migrate the file in turn.
const OPENING_ATTEMPTS: u32 = 20;
const OPENING_PAUSE: Duration = Duration::from_millis(50);

/// Documents in a SQLite file: the embedded store for hosts on one machine. Clones share the connections.
///
/// Processes of one machine may share the file; its clock is the machine's. It must not lie on a network
/// file system. A write is on disk when it returns.
#[derive(Debug, Clone)]
pub struct SqliteStateStore {
    pool: SqlitePool,
    clock: SharedClock,
}

impl SqliteStateStore {
    /// Opens or makes the file and its tables. All processes that share the file must have the same time.
    ///
    /// # Errors
    /// The file system's, and [`Unsupported`](crate::ErrorKind::Unsupported) for tables of another version.
    pub async fn open(path: impl AsRef<Path>, clock: SharedClock) -> Result<Self> {
        let path = path.as_ref();
        let target = path.display().to_string();
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_LIMIT);
        // SQLite changes the journal's mode without waiting for other writers, whatever the limit above.
        let mut attempts = 0;
        let pool = loop {
            let opened = SqlitePoolOptions::new()
                .max_connections(CONNECTIONS_MAX)
                .acquire_timeout(BUSY_LIMIT)
                .connect_with(options.clone())
                .await
                .map_err(failure("open state file", &target, Effect::Read));
            attempts += 1;
            match opened {
                Err(error) if error.kind() == ErrorKind::Unavailable && attempts < OPENING_ATTEMPTS => {
                    clock.sleep(OPENING_PAUSE).await;
                }
                opened => break opened?,
            }
        };
        let migrator = migrator();
        attempts = 0;
        while let Err(error) = migrator.run(&pool).await {
            attempts += 1;
            if attempts >= OPENING_ATTEMPTS {
                return Err(migration(&target, error));
            }
            clock.sleep(OPENING_PAUSE).await;
        }
        Ok(Self { pool, clock })
    }

    /// Closes the connections. Dropping the last clone does so in the background.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn migrator() -> Migrator {
    let sql = include_str!("../../../migrations/sqlite/0001_state.sql").into_sql_str();
    let mut migrator =
        Migrator::with_migrations(vec![Migration::new(1, "state".into(), MigrationType::Simple, sql, false)]);
    // The host may have migrations of its own in the same file; and an older version must start after a newer.
    migrator.dangerous_set_table_name("alfred_ops_migrations");
    migrator.set_ignore_missing(true);
    migrator
}

/// Refuses a late write, in the write's transaction.
async fn judge(
    connection: &mut SqliteConnection,
    operation: &'static str,
    fence: Option<&Fence>,
) -> Result<()> {
    let Some(fence) = fence else { return Ok(()) };
    let key = fence.document_key();
    let text: Option<String> = sqlx::query_scalar("SELECT value FROM alfred_ops_state WHERE key = ?1")
        .bind(&key)
        .fetch_optional(connection)
        .await
        .map_err(failure(operation, &key, Effect::Read))?;
    let lease = text.map(|text| decode(&key, &text)).transpose()?;
    fence.judge(operation, lease.as_ref())
}

#[async_trait]
impl StateStore for SqliteStateStore {
    async fn get(&self, key: &str) -> Result<Option<Document>> {
        check_key("get state", key)?;
        let row: Option<(String, i64)> =
            sqlx::query_as("SELECT value, version FROM alfred_ops_state WHERE key = ?1")
                .bind(key)
                .fetch_optional(&self.pool)
                .await
                .map_err(failure("get state", key, Effect::Read))?;
        row.map(|(text, version)| document(key.to_owned(), &text, version, self.clock.now())).transpose()
    }

    async fn put(&self, write: &Write) -> Result<u64> {
        write.check()?;
        let text = encode("put state", &write.value)?;
        let failed = failure("put state", &write.key, Effect::Write);
        // Immediate: a transaction that first reads and then writes could find that another wrote meanwhile.
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
        judge(&mut transaction, "put state", write.fence.as_ref()).await?;
        let version: i64 =
            sqlx::query_scalar("UPDATE alfred_ops_state_version SET last = last + 1 RETURNING last")
                .fetch_one(&mut *transaction)
                .await
                .map_err(&failed)?;
        let query = match write.expected {
            Expected::Absent => sqlx::query(
                "INSERT INTO alfred_ops_state (key, value, version) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )
            .bind(&write.key)
            .bind(text)
            .bind(version),
            Expected::Version(expected) => sqlx::query(
                "UPDATE alfred_ops_state SET value = ?2, version = ?3 WHERE key = ?1 AND version = ?4",
            )
            .bind(&write.key)
            .bind(text)
            .bind(version)
            .bind(to_sql(expected)),
        };
        let done = query.execute(&mut *transaction).await.map_err(&failed)?;
        if done.rows_affected() == 0 {
            return Err(conflict("put state", &write.key, write.expected));
        }
        transaction.commit().await.map_err(&failed)?;
        from_sql(version)
    }

    async fn delete(&self, key: &str, expected: Expected, fence: Option<Fence>) -> Result<()> {
        check_key("delete state", key)?;
        let failed = failure("delete state", key, Effect::Write);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
        judge(&mut transaction, "delete state", fence.as_ref()).await?;
        let present: Option<i64> = sqlx::query_scalar("SELECT version FROM alfred_ops_state WHERE key = ?1")
            .bind(key)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(&failed)?;
        let wanted = match expected {
            Expected::Absent => None,
            Expected::Version(version) => Some(to_sql(version)),
        };
        if present != wanted {
            return Err(conflict("delete state", key, expected));
        }
        sqlx::query("DELETE FROM alfred_ops_state WHERE key = ?1")
            .bind(key)
            .execute(&mut *transaction)
            .await
            .map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Document>> {
        check_prefix("list state", prefix)?;
        check_prefix("list state", after)?;
        let limit = i64::try_from(limit.min(LIST_LIMIT_MAX)).unwrap_or(i64::MAX);
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT key, value, version FROM alfred_ops_state
             WHERE key >= ?1 AND key < ?2 AND key > ?3 ORDER BY key LIMIT ?4",
        )
        .bind(prefix)
        .bind(format!("{prefix}{KEY_END}"))
        .bind(after)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(failure("list state", prefix, Effect::Read))?;
        let now = self.clock.now();
        rows.into_iter().map(|(key, text, version)| document(key, &text, version, now)).collect()
    }
}
