//! The platform's database.

use std::collections::BTreeMap;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{Error, ErrorKind, PostgresOptions, Progress, ProgressUnit, Result};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool, Row as _};

/// The platform's tables.
pub const TABLES: [&str; 4] = ["tasks", "task_results", "processed_msgs", "agent_registry"];

/// Tasks that one statement makes.
const FILL_ROWS: i64 = 10_000;
/// Sessions for the writers, the story and a reserve.
const CONNECTIONS: u32 = 8;

/// Rows and checksum of each table.
pub type Census = BTreeMap<&'static str, String>;

/// A connection pool to one database of the platform.
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
}

impl Database {
    /// Starts a private server that can be backed up.
    ///
    /// # Errors
    /// If Postgres is not installed or does not start.
    pub async fn start_server() -> Result<PostgresServer> {
        PostgresServer::builder()?
            .setting("max_wal_size", "2GB")
            .setting("shared_buffers", "128MB")
            .setting("max_wal_senders", "10")
            .start()
            .await
    }

    /// Connects to a server.
    ///
    /// # Errors
    /// If it cannot be reached.
    pub async fn connect(server: &PostgresOptions) -> Result<Self> {
        let options: PgConnectOptions = server.to_url().expose().parse().map_err(failed("read options"))?;
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await;
        Ok(Self { pool: pool.map_err(failed("connect"))? })
    }

    /// The pool itself.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Makes the platform's tables.
    ///
    /// # Errors
    /// The server's.
    pub async fn create_schema(&self) -> Result<()> {
        sqlx::raw_sql(include_str!("schema.sql"))
            .execute(&self.pool)
            .await
            .map_err(failed("create schema"))?;
        Ok(())
    }

    /// Makes tasks until the database holds so many bytes.
    ///
    /// # Errors
    /// The server's.
    pub async fn fill(&self, bytes: u64, progress: &Progress) -> Result<u64> {
        progress.begin("fill", Some(bytes), ProgressUnit::Bytes);
        let mut made = 0;
        loop {
            let size = self.value::<i64>("SELECT pg_database_size(current_database())").await?;
            let size = u64::try_from(size).unwrap_or(0);
            progress.add(size.saturating_sub(progress.state().done));
            if size >= bytes {
                return Ok(size);
            }
            // Half of each payload is random, so that compression has real work and real limits.
            sqlx::query(
                "INSERT INTO tasks (task_id, intent, status, priority, content) \
                 SELECT 'task-' || n, 'analyse', 'completed', 1 + n % 5, jsonb_build_object( \
                     'payload', (SELECT string_agg(md5(random()::text || k), '') FROM generate_series(1, 16) AS k WHERE n > 0), \
                     'notes', repeat('the agent read the page and found nothing new; ', 10)) \
                 FROM generate_series($1::bigint, $2::bigint) AS n",
            )
            .bind(made + 1)
            .bind(made + FILL_ROWS)
            .execute(&self.pool)
            .await
            .map_err(failed("fill"))?;
            made += FILL_ROWS;
        }
    }

    /// Rows and checksum of every table. A table that does not exist is missing in the answer.
    ///
    /// # Errors
    /// The server's.
    pub async fn census(&self) -> Result<Census> {
        let mut census = Census::new();
        for table in TABLES {
            let exists = format!("SELECT to_regclass('public.{table}') IS NOT NULL");
            if !self.value::<bool>(&exists).await? {
                continue;
            }
            let sum = format!(
                "SELECT count(*) || ' rows, ' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {table} t"
            );
            census.insert(table, self.value(&sum).await?);
        }
        Ok(census)
    }

    /// Whether a task of that name exists.
    ///
    /// # Errors
    /// The server's.
    pub async fn has_task(&self, task_id: &str) -> Result<bool> {
        let row = sqlx::query("SELECT EXISTS (SELECT FROM tasks WHERE task_id = $1)").bind(task_id);
        let row = row.fetch_one(&self.pool).await.map_err(failed("look for task"))?;
        row.try_get(0).map_err(failed("look for task"))
    }

    /// Adds a task of that name.
    ///
    /// # Errors
    /// The server's.
    pub async fn add_task(&self, task_id: &str) -> Result<()> {
        let insert = sqlx::query("INSERT INTO tasks (task_id, intent) VALUES ($1, 'mark')").bind(task_id);
        insert.execute(&self.pool).await.map_err(failed("add task"))?;
        Ok(())
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// The server's.
    pub async fn run(&self, sql: &str) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.pool).await.map_err(failed("run statement"))?;
        Ok(())
    }

    /// Runs one statement and returns its one value.
    ///
    /// # Errors
    /// The server's.
    pub async fn value<T>(&self, sql: &str) -> Result<T>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.pool).await.map_err(failed("query"))
    }
}

/// The error for a refusal of the database.
pub(super) fn failed(operation: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |source| Error::new(ErrorKind::Unavailable, operation, "the database refused").with_source(source)
}
