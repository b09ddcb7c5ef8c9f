//! Carrying the plan out.

use std::time::Duration;

use alfred_ops_core::{Activation, Error, ErrorKind, Job, JobContext, JobReport, PostgresOptions, Result};
use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _};

use super::{Partition, PartitionFacts, PartitionPlan, PartitionPolicy, PartitionStep, plan_partitions};

/// Nobody waits behind a lock that is not had within this time.
const LOCK_TIMEOUT: &str = "2s";

const LOOK: &str = "SELECT part.relname::text, \
    (regexp_match(pg_get_expr(part.relpartbound, part.oid), 'FROM \\(''([^'']+)''\\)'))[1]::timestamptz, \
    (regexp_match(pg_get_expr(part.relpartbound, part.oid), 'TO \\(''([^'']+)''\\)'))[1]::timestamptz, \
    inherits.inhdetachpending, \
    pg_get_expr(part.relpartbound, part.oid) = 'DEFAULT' \
    FROM pg_inherits AS inherits JOIN pg_class AS part ON part.oid = inherits.inhrelid \
    WHERE inherits.inhparent = $1::regclass ORDER BY 2, 1";

/// Keeps the partitions of one table as a policy says: makes them ahead, and detaches them without locking out anybody.
///
/// The role owns the table. Several hosts may run it at once: what one has done the others find done. Needs Postgres 14 or newer.
#[derive(Debug, Clone)]
pub struct PostgresPartitions {
    server: PostgresOptions,
    policy: PartitionPolicy,
    job_name: String,
}

impl PostgresPartitions {
    /// Nothing happens before a call.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a policy that makes no sense.
    pub fn new(server: PostgresOptions, policy: PartitionPolicy) -> Result<Self> {
        policy.check()?;
        let job_name = format!("partitions-{}", policy.table);
        Ok(Self { server: server.with_application_name("alfred-ops partitions"), policy, job_name })
    }

    /// Looks and tells what would be done now. Changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such table, [`ErrorKind::Unsupported`] if it is not partitioned by range; the
    /// server's.
    pub async fn plan(&self, context: &JobContext) -> Result<PartitionPlan> {
        let mut connection = self.connect().await?;
        let facts = self.look(&mut connection).await?;
        Ok(plan_partitions(&facts, &self.policy, context.now()))
    }

    /// Does what the plan says, and returns it. Each step stands for itself: after an error, a dropped future or a cancellation
    /// the steps so far stay done and the next run goes on, also with a detachment that was left halfway.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan); [`ErrorKind::Unavailable`] if a lock is not had within 2 s.
    #[tracing::instrument(skip_all, fields(table = %self.policy.table))]
    pub async fn run(&self, context: &JobContext) -> Result<PartitionPlan> {
        let mut connection = self.connect().await?;
        let facts = self.look(&mut connection).await?;
        let plan = plan_partitions(&facts, &self.policy, context.now());
        for obstacle in &plan.obstacles {
            tracing::warn!(%obstacle, "partitions are not as they should be");
        }
        for step in &plan.steps {
            if context.cancel.is_cancelled() {
                return Err(Error::new(ErrorKind::Cancelled, "keep partitions", "stopped between two steps"));
            }
            self.apply(&mut connection, step).await?;
            tracing::info!(%step, "partition");
        }
        Ok(plan)
    }

    async fn apply(&self, connection: &mut PgConnection, step: &PartitionStep) -> Result<()> {
        let table = quoted(&self.policy.table);
        match step {
            PartitionStep::Create { name, from, to } => {
                let name = quoted(name);
                let [from, to] = [from, to].map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true));
                // Attaching lets others read and write the table meanwhile; making a partition in one step does not.
                self.execute(
                    connection,
                    &format!(
                        "BEGIN; CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS); \
                         ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}'); COMMIT"
                    ),
                )
                .await
            }
            PartitionStep::Finish { name } => {
                self.execute(
                    connection,
                    &format!("ALTER TABLE {table} DETACH PARTITION {} FINALIZE", quoted(name)),
                )
                .await
            }
            PartitionStep::Detach { name } => {
                let detach = format!("ALTER TABLE {table} DETACH PARTITION {} CONCURRENTLY", quoted(name));
                self.execute(connection, &detach).await
            }
        }
    }

    async fn execute(&self, connection: &mut PgConnection, statement: &str) -> Result<()> {
        let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await;
        if let Err(source) = done {
            // Of several statements one may have failed within a transaction.
            let _ = sqlx::raw_sql("ROLLBACK").execute(connection).await;
            return Err(self.failed("change partitions", source));
        }
        Ok(())
    }

    async fn look(&self, connection: &mut PgConnection) -> Result<PartitionFacts> {
        let strategy: Option<String> = sqlx::query_scalar(
            "SELECT partstrat::text FROM pg_partitioned_table WHERE partrelid = $1::regclass",
        )
        .bind(&self.policy.table)
        .fetch_optional(&mut *connection)
        .await
        .map_err(|source| self.failed("look at table", source))?;
        if strategy.as_deref() != Some("r") {
            return Err(self
                .problem(ErrorKind::Unsupported, "look at table", "it is not partitioned by range")
                .with_remedy("create it with PARTITION BY RANGE over its time"));
        }
        let rows = sqlx::query(LOOK)
            .bind(&self.policy.table)
            .fetch_all(&mut *connection)
            .await
            .map_err(|source| self.failed("look at partitions", source))?;
        let mut facts = PartitionFacts::default();
        for row in rows {
            let read = || -> std::result::Result<(Partition, bool), sqlx::Error> {
                let (from, to): (Option<DateTime<Utc>>, Option<DateTime<Utc>>) =
                    (row.try_get(1)?, row.try_get(2)?);
                let partition = Partition { name: row.try_get(0)?, from, to, detaching: row.try_get(3)? };
                Ok((partition, row.try_get(4)?))
            };
            let (partition, is_default) =
                read().map_err(|source| self.failed("look at partitions", source))?;
            if is_default {
                facts.default = Some(partition.name);
            } else {
                facts.partitions.push(partition);
            }
        }
        if let Some(default) = &facts.default {
            let any = format!("SELECT EXISTS (SELECT FROM {})", quoted(default));
            facts.default_has_rows = sqlx::query_scalar(AssertSqlSafe(any.as_str()))
                .fetch_one(connection)
                .await
                .map_err(|source| self.failed("look at partitions", source))?;
        }
        Ok(facts)
    }

    async fn connect(&self) -> Result<PgConnection> {
        // Not as a source: the driver's error may quote the URL.
        let refused = |_| self.problem(ErrorKind::InvalidInput, "connect", "the driver refuses the options");
        let options: PgConnectOptions = self.server.to_url().expose().parse().map_err(refused)?;
        let options = options
            .options([("lock_timeout", LOCK_TIMEOUT), ("timezone", "UTC"), ("datestyle", "ISO")])
            .disable_statement_logging();
        PgConnection::connect_with(&options).await.map_err(|source| self.failed("connect", source))
    }

    fn failed(&self, operation: &'static str, source: sqlx::Error) -> Error {
        let code = source.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        let error = match code.as_deref() {
            Some("42P01") => self
                .problem(ErrorKind::NotFound, operation, "there is no such table")
                .with_remedy("check the policy's table and the role's search_path"),
            Some("42501") => self
                .problem(ErrorKind::PermissionDenied, operation, "the role may not do that")
                .with_remedy("let the role own the table"),
            Some("28P01" | "28000") => {
                self.problem(ErrorKind::PermissionDenied, operation, "the login was refused")
            }
            Some("55P03" | "57014") => {
                self.problem(ErrorKind::Unavailable, operation, "somebody holds the table").with_remedy(
                    "it is tried again at the next run; see what pg_blocking_pids says if it goes on",
                )
            }
            // Another host was faster: the next look finds it done.
            Some("42P07" | "42P16" | "42P17" | "55000") => {
                self.problem(ErrorKind::Conflict, operation, "the table was changed meanwhile")
            }
            Some(code) => self.problem(ErrorKind::Internal, operation, &format!("SQLSTATE {code}")),
            None => self.problem(ErrorKind::Unavailable, operation, "the server cannot be reached"),
        };
        error.with_source(source)
    }

    fn problem(&self, kind: ErrorKind, operation: &'static str, what: &str) -> Error {
        Error::new(kind, operation, what).with_target(self.policy.table.clone())
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Every hour, named `partitions-TABLE`.
#[async_trait]
impl Job for PostgresPartitions {
    fn name(&self) -> &str {
        &self.job_name
    }

    fn activation(&self) -> Activation {
        Activation::Every(Duration::from_secs(3600))
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        Ok(JobReport::new(Self::run(self, context).await?.to_string()))
    }
}
