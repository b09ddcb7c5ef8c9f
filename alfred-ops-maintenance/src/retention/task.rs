//! Carrying the plan out.

use std::time::Duration;

use alfred_ops_core::{
    Activation, Error, ErrorKind, Job, JobContext, JobReport, PostgresOptions, ProgressUnit, Result,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _};

use super::table_name::quoted;
use super::{RetentionFacts, RetentionPlan, RetentionPolicy, RetentionReport, plan_retention};

/// As a job: often enough that a run has little to do.
const PERIOD: Duration = Duration::from_secs(3600);
/// A batch waits for no lock longer than this; it takes row locks only and skips rows that are locked.
const LOCK_TIMEOUT: &str = "2s";
/// A batch that takes longer is given up: something else is wrong with the table.
const STATEMENT_TIMEOUT: &str = "30s";
/// Stands for `-infinity`, which the driver cannot hold.
const EARLIEST: &str = "timestamptz '1900-01-01 00:00:00+00'";

/// Removes expired rows of one table in small batches.
///
/// The role needs SELECT, UPDATE (for the row locks) and DELETE on the table. Any number of hosts may run
/// it at once: they skip one another's rows.
#[derive(Debug, Clone)]
pub struct Retention {
    server: PostgresOptions,
    policy: RetentionPolicy,
}

impl Retention {
    /// Retention by `policy` at `server`. Nothing happens before a call.
    #[must_use]
    pub fn new(server: PostgresOptions, policy: RetentionPolicy) -> Self {
        Self { server: server.with_application_name("alfred-ops retention"), policy }
    }

    /// Looks and tells what would be done now. Changes nothing.
    ///
    /// # Errors
    /// The server's, naming the table.
    pub async fn plan(&self, context: &JobContext) -> Result<RetentionPlan> {
        let mut connection = self.connect().await?;
        let facts = self.inspect(&mut connection).await?;
        Ok(plan_retention(&facts, &self.policy, context.now()))
    }

    /// Removes what has expired by now.
    ///
    /// Each batch is a transaction of its own: after an error, a dropped future or a cancellation the
    /// batches done so far stay done, and the next run goes on.
    ///
    /// # Errors
    /// The server's, naming the table.
    #[tracing::instrument(skip_all, fields(table = %self.policy.table))]
    pub async fn run(&self, context: &JobContext) -> Result<RetentionReport> {
        let mut connection = self.connect().await?;
        let facts = self.inspect(&mut connection).await?;
        let plan = plan_retention(&facts, &self.policy, context.now());
        let mut report = RetentionReport {
            plan: plan.clone(),
            rows: 0,
            batches: 0,
            slowest_batch: Duration::ZERO,
            rows_left: 0,
            stopped_early: false,
        };
        if let RetentionPlan::Delete { cutoff, .. } = plan {
            context.progress.begin("retention", None, ProgressUnit::Items);
            self.delete(&mut connection, cutoff, context, &mut report).await?;
        }
        tracing::info!(rows = report.rows, batches = report.batches, "retention done");
        Ok(report)
    }

    /// Walks along the age column and never back, so that no batch wades through rows that earlier ones
    /// left dead.
    async fn delete(
        &self,
        connection: &mut PgConnection,
        cutoff: DateTime<Utc>,
        context: &JobContext,
        report: &mut RetentionReport,
    ) -> Result<()> {
        let (table, column) = (&self.policy.table, quoted(&self.policy.column));
        let batch = format!(
            "WITH batch AS (SELECT ctid, {column} AS age FROM {table} WHERE {column} < $1 AND ($2::timestamptz IS NULL OR {column} >= $2) \
             ORDER BY {column} LIMIT $3 FOR UPDATE SKIP LOCKED), \
             gone AS (DELETE FROM {table} AS t USING batch WHERE t.ctid = batch.ctid RETURNING batch.age) \
             SELECT count(*) AS rows, greatest(max(age), {EARLIEST}) AS reached FROM gone"
        );
        let mut reached: Option<DateTime<Utc>> = None;
        loop {
            if context.cancel.is_cancelled() {
                report.stopped_early = true;
                return Ok(());
            }
            let started = context.clock.monotonic();
            let row = sqlx::query(AssertSqlSafe(batch.as_str()))
                .bind(cutoff)
                .bind(reached)
                .bind(i64::from(self.policy.batch_rows))
                .fetch_one(&mut *connection)
                .await
                .map_err(|source| self.failed("delete expired rows", source))?;
            report.slowest_batch =
                report.slowest_batch.max(context.clock.monotonic().saturating_sub(started));
            let rows = self.count(&row, "rows")?;
            if rows == 0 {
                break;
            }
            reached = row.try_get("reached").map_err(|source| self.failed("read the answer", source))?;
            report.rows += rows;
            report.batches += 1;
            context.progress.add(rows);
            tokio::select! {
                () = context.cancel.cancelled() => {}
                () = context.clock.sleep(self.policy.pause) => {}
            }
        }
        let left = format!("SELECT count(*) AS rows FROM {table} WHERE {column} < $1");
        let row = sqlx::query(AssertSqlSafe(left.as_str())).bind(cutoff).fetch_one(connection).await;
        let row = row.map_err(|source| self.failed("count what is left", source))?;
        report.rows_left = self.count(&row, "rows")?;
        Ok(())
    }

    async fn inspect(&self, connection: &mut PgConnection) -> Result<RetentionFacts> {
        let (table, column) = (&self.policy.table, quoted(&self.policy.column));
        let look = format!(
            "SELECT (SELECT greatest({column}, {EARLIEST}) FROM {table} WHERE {column} IS NOT NULL ORDER BY {column} LIMIT 1) AS oldest, \
             (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = $1::regclass) AS rows"
        );
        let row = sqlx::query(AssertSqlSafe(look.as_str()))
            .bind(table.to_string())
            .fetch_one(connection)
            .await
            .map_err(|source| self.failed("look at table", source))?;
        Ok(RetentionFacts {
            oldest: row.try_get("oldest").map_err(|source| self.failed("read the answer", source))?,
            rows_estimate: self.count(&row, "rows")?,
        })
    }

    fn count(&self, row: &PgRow, column: &str) -> Result<u64> {
        let count: i64 = row.try_get(column).map_err(|source| self.failed("read the answer", source))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn connect(&self) -> Result<PgConnection> {
        let options: PgConnectOptions = self
            .server
            .to_url()
            .expose()
            .parse()
            // Not as a source: the driver's error may quote the URL.
            .map_err(|_| {
                self.problem(ErrorKind::InvalidInput, "connect", "the driver refuses the options")
            })?;
        let options = options
            .options([("lock_timeout", LOCK_TIMEOUT), ("statement_timeout", STATEMENT_TIMEOUT)])
            .disable_statement_logging();
        let mut connection =
            PgConnection::connect_with(&options).await.map_err(|source| self.failed("connect", source))?;
        connection.ping().await.map_err(|source| self.failed("connect", source))?;
        Ok(connection)
    }

    fn failed(&self, operation: &'static str, source: sqlx::Error) -> Error {
        let code = source.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        let error = match code.as_deref() {
            Some("42P01") => self
                .problem(ErrorKind::NotFound, operation, "there is no such table")
                .with_remedy("check schema and table of the policy"),
            Some("42703") => self
                .problem(
                    ErrorKind::NotFound,
                    operation,
                    &format!("there is no column {:?}", self.policy.column),
                )
                .with_remedy("check the column of the policy"),
            Some("42501") => self
                .problem(ErrorKind::PermissionDenied, operation, "the role may not do that")
                .with_remedy("grant SELECT, UPDATE and DELETE on the table to the role"),
            Some("28P01" | "28000") => {
                self.problem(ErrorKind::PermissionDenied, operation, "the login was refused")
            }
            Some("55P03" | "57014") => {
                self.problem(ErrorKind::Unavailable, operation, "the table is too busy")
            }
            Some(code) => self.problem(ErrorKind::Internal, operation, &format!("SQLSTATE {code}")),
            None => self.problem(ErrorKind::Unavailable, operation, "the server cannot be reached"),
        };
        error.with_source(source)
    }

    fn problem(&self, kind: ErrorKind, operation: &'static str, message: &str) -> Error {
        Error::new(kind, operation, message).with_target(format!("{} at {}", self.policy.table, self.server))
    }
}

/// A job that runs every hour.
#[async_trait]
impl Job for Retention {
    fn name(&self) -> &str {
        "retention"
    }

    fn activation(&self) -> Activation {
        Activation::Every(PERIOD)
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        let report = Retention::run(self, context).await?;
        Ok(JobReport::new(format!("{} rows in {} batches; {}", report.rows, report.batches, report.plan)))
    }
}
