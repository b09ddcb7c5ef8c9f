//! The runner.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{EntropyExt as _, Error, ErrorKind, JobContext, PostgresOptions, Result};
use sqlx::migrate::{Migrate as _, MigrateError, Migration, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};

use super::damage::{self, Damage};
use super::failure::Failures;
use super::{MigrationPlan, MigrationReport, begun, turn};
use crate::postgres::{NO_SESSION_REMEDY, SessionSettings, Unsettled, gave_way};

/// The table of sqlx' own migrator, so that either can go on where the other has stopped.
pub(super) const TABLE: &str = "_sqlx_migrations";
/// A statement that waits for a lock holds up everybody behind it; it gives way after this time.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a statement gives way before the run ends.
const RETRIES_MAX: u32 = 60;
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(250);
const RETRY_SPREAD_MILLIS: u64 = 1000;
/// The first replica may build a large index meanwhile.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// Applies sqlx' migrations from many replicas at once, as they start.
///
/// One replica works at a time and the others wait without holding anything in the server. No statement waits longer for a
/// lock than a moment: it gives way to those who hold it, and to those who wait behind it, and tries again. Statements
/// outside of a transaction (`-- no-transaction`) may be broken off at any time, by a crash too: a half-built index is
/// removed before the migration begins anew, and one that somebody else has recorded as built is finished.
///
/// What is applied is recorded as sqlx' own migrator does. All replicas must use this runner, which takes a lock of its own.
/// The connection must be one session: not a pooler in transaction mode, which is noticed and refused.
///
/// ```no_run
/// # async fn example(server: alfred_ops_core::PostgresOptions) -> alfred_ops_core::Result<()> {
/// use std::sync::Arc;
/// use alfred_ops_core::JobContext;
/// use alfred_ops_maintenance::MigrationRunner;
/// use sqlx::migrate::Migrator;
///
/// // In a service: `sqlx::migrate!()`.
/// let migrator = Arc::new(Migrator::with_migrations(Vec::new()));
/// let report = MigrationRunner::new(server, migrator).run(&JobContext::system()).await?;
/// println!("{report}");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct MigrationRunner {
    pub(super) server: PostgresOptions,
    pub(super) migrator: Arc<Migrator>,
    lock_timeout: Duration,
    pub(super) retries_max: u32,
    pub(super) wait_max: Duration,
}

impl MigrationRunner {
    /// Applies what `migrator` holds to the database of `server`. Nothing happens before a call.
    #[must_use]
    pub fn new(server: PostgresOptions, migrator: Arc<Migrator>) -> Self {
        let server = server.with_application_name("alfred-ops migrations");
        Self { server, migrator, lock_timeout: LOCK_TIMEOUT, retries_max: RETRIES_MAX, wait_max: WAIT_MAX }
    }

    /// Sets how long a statement waits for a lock before it gives way (2 s), and how often it does so (60 times).
    #[must_use]
    pub const fn giving_way(mut self, lock_timeout: Duration, retries_max: u32) -> Self {
        (self.lock_timeout, self.retries_max) = (lock_timeout, retries_max);
        self
    }

    /// Sets how long a replica waits for its turn; an hour if not given.
    #[must_use]
    pub const fn with_wait_max(mut self, wait_max: Duration) -> Self {
        self.wait_max = wait_max;
        self
    }

    /// What a run would do now. Waits for nobody; only the table of applied migrations is made if there is none.
    ///
    /// # Errors
    /// As of [`run`](Self::run), but for those of statements.
    pub async fn plan(&self) -> Result<MigrationPlan> {
        let failures = Failures::at(&self.server);
        let mut connection = self.connect(&failures).await?;
        let (mut plan, _) = self.pending(&mut connection, &failures).await?;
        let damage =
            damage::find(&mut connection).await.map_err(|source| failures.of("look for damage", source))?;
        let applied = self.ups().filter(|up| !plan.pending.iter().any(|(version, _)| *version == up.version));
        let texts: Vec<&str> = applied.map(|up| up.sql.as_str()).collect();
        let of_applied = damage.iter().filter(|damage| texts.iter().any(|sql| damage::is_of(damage, sql)));
        plan.unfinished = of_applied.map(|damage| damage.name().to_owned()).collect();
        Ok(plan)
    }

    /// Waits for its turn and applies what is pending. After `Ok` everything is applied, and no index is half-built.
    ///
    /// After an error, a cancellation or a crash the migrations that are applied stay, and the next run goes on. Dropping the
    /// future gives the turn back as soon as the server has ended the statement under way.
    ///
    /// # Errors
    /// `InvalidInput` for a migration that the server refuses, one that was changed after it was applied, one that is missing
    /// between others, and an index without a name that is built concurrently; `Unavailable` if a lock could not be had
    /// or the turn did not come; `Fenced` through a pooler in transaction mode.
    #[tracing::instrument(skip_all, fields(server = %self.server))]
    pub async fn run(&self, context: &JobContext) -> Result<MigrationReport> {
        let failures = Failures::at(&self.server);
        let mut connection = self.connect(&failures).await?;
        let mut report = MigrationReport {
            waited: turn::take(&mut connection, &failures, self.wait_max, context).await?,
            ..MigrationReport::default()
        };
        let (plan, begun) = self.pending(&mut connection, &failures).await?;
        for up in self.ups() {
            turn::check(&mut connection, &failures).await?;
            if context.cancel.is_cancelled() {
                return Err(failures.problem(
                    ErrorKind::Cancelled,
                    "migrate",
                    "stopped between two migrations",
                ));
            }
            if plan.pending.iter().any(|(version, _)| *version == up.version) {
                self.apply(&mut connection, &failures, up, &begun, context, &mut report).await?;
                tracing::info!(version = up.version, description = %up.description, "migration applied");
                report.applied.push(up.version);
            }
        }
        self.finish(&mut connection, &failures, context, &mut report).await?;
        // The turn goes with the connection.
        drop(connection.close().await);
        Ok(report)
    }

    fn ups(&self) -> impl Iterator<Item = &Migration> {
        self.migrator.iter().filter(|migration| !migration.migration_type.is_down_migration())
    }

    pub(super) async fn connect(&self, failures: &Failures) -> Result<PgConnection> {
        let options: PgConnectOptions = self
            .server
            .to_url()
            .expose()
            .parse()
            // Not as a source: the driver's error may quote the URL.
            .map_err(|_| {
                failures.problem(ErrorKind::InvalidInput, "connect", "the driver refuses the options")
            })?;
        let settings = SessionSettings::with_lock_timeout(self.lock_timeout);
        settings.connect(options.disable_statement_logging()).await.map_err(|unsettled| match unsettled {
            Unsettled::Failed(source) => failures.of("connect", source),
            Unsettled::Pooled => {
                let what = "a pooler drops the limit of waiting for locks and changes the session";
                failures.problem(ErrorKind::Fenced, "connect", what).with_remedy(NO_SESSION_REMEDY)
            }
            Unsettled::Crowded => {
                let what = "a pooler drops the limit of waiting for locks and lets no second connection in";
                failures.problem(ErrorKind::Unavailable, "connect", what).with_remedy(NO_SESSION_REMEDY)
            }
        })
    }

    /// Compares what is applied with what there is: what is pending, and which versions were begun and not recorded as
    /// applied.
    async fn pending(
        &self,
        connection: &mut PgConnection,
        failures: &Failures,
    ) -> Result<(MigrationPlan, Vec<i64>)> {
        let failed = |error: MigrateError| failures.of_migration(0, error);
        connection.ensure_migrations_table(TABLE).await.map_err(failed)?;
        let mut applied = connection.list_applied_migrations(TABLE).await.map_err(failed)?;
        let begun =
            begun::list(connection).await.map_err(|source| failures.of("look for begun ones", source))?;
        applied.retain(|applied| !begun.contains(&applied.version));
        let applied: HashMap<i64, _> =
            applied.into_iter().map(|applied| (applied.version, applied.checksum)).collect();
        let refuse = |message: String, remedy: &'static str| {
            Err(failures.problem(ErrorKind::InvalidInput, "migrate", message).with_remedy(remedy))
        };
        let mut plan = MigrationPlan::default();
        for up in self.ups() {
            let text = up.sql.as_str().to_lowercase();
            if text
                .split_whitespace()
                .collect::<Vec<_>>()
                .windows(2)
                .any(|words| words == ["concurrently", "on"])
            {
                let message =
                    format!("migration {} builds an index concurrently and gives it no name", up.version);
                return refuse(message, "name the index: half-built it could not be told from others");
            }
            match applied.get(&up.version) {
                Some(checksum) if *checksum != up.checksum => {
                    let message = format!("migration {} was changed after it was applied", up.version);
                    return refuse(message, "put the file back as it was, and write a new migration");
                }
                Some(_) => {}
                None => plan.pending.push((up.version, up.description.to_string())),
            }
        }
        let newest = self.ups().map(|up| up.version).max();
        for version in applied.keys().filter(|version| !self.migrator.version_exists(**version)) {
            if newest.is_some_and(|newest| *version < newest) {
                return refuse(
                    format!("migration {version} is applied and not among ours"),
                    "add the file that is missing",
                );
            }
            plan.newer.push(*version);
        }
        plan.newer.sort_unstable();
        Ok((plan, begun))
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        failures: &Failures,
        up: &Migration,
        begun: &[i64],
        context: &JobContext,
        report: &mut MigrationReport,
    ) -> Result<()> {
        let (mut retries, mut was_begun) = (0, begun.contains(&up.version));
        loop {
            if up.no_tx {
                let find = damage::find(connection).await;
                let all = find.map_err(|source| failures.of("look for damage", source))?;
                let ours =
                    all.iter().filter(|damage| damage.is_index() && damage::is_of(damage, up.sql.as_str()));
                for damage in ours {
                    self.mend(connection, failures, &damage.remove(), context, report).await?;
                    report.removed.push(damage.name().to_owned());
                }
            }
            let applied = if up.no_tx {
                begun::apply(connection, up, was_begun).await
            } else {
                connection.apply(TABLE, up).await.map(drop)
            };
            match applied {
                Ok(()) => return Ok(()),
                Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _))
                    if gave_way(&error) && retries < self.retries_max =>
                {
                    retries += 1;
                    report.retries += 1;
                    was_begun = false;
                    tracing::warn!(
                        version = up.version,
                        retries,
                        "migration gave way to somebody who holds a lock"
                    );
                    pause(failures, context).await?;
                }
                Err(error) => return Err(failures.of_migration(up.version, error)),
            }
        }
    }

    /// Finishes what applied migrations have left unfinished.
    async fn finish(
        &self,
        connection: &mut PgConnection,
        failures: &Failures,
        context: &JobContext,
        report: &mut MigrationReport,
    ) -> Result<()> {
        let all = damage::find(connection).await.map_err(|source| failures.of("look for damage", source))?;
        let texts: Vec<&str> = self.ups().map(|up| up.sql.as_str()).collect();
        for damage in all.iter().filter(|damage| texts.iter().any(|sql| damage::is_of(damage, sql))) {
            // A rebuild that was broken off leaves a second index: the first one stands.
            let is_copy = damage.name().contains("_ccnew") || damage.name().contains("_ccold");
            let statement = if is_copy && damage.is_index() { damage.remove() } else { damage.finish() };
            self.mend(connection, failures, &statement, context, report).await?;
            tracing::warn!(name = damage.name(), "what an earlier migration left unfinished is finished");
            report.finished.push(damage.name().to_owned());
        }
        let left = damage::find(connection).await.map_err(|source| failures.of("look for damage", source))?;
        let of_ours = |damage: &&Damage| texts.iter().any(|sql| damage::is_of(damage, sql));
        match left.iter().find(of_ours) {
            None => Ok(()),
            Some(damage) => {
                let message = format!("{} is not finished, although every statement has run", damage.name());
                Err(failures
                    .problem(ErrorKind::Internal, "migrate", message)
                    .with_remedy("look at it in pg_index"))
            }
        }
    }

    /// Runs a statement outside of a transaction, and gives way as migrations do.
    async fn mend(
        &self,
        connection: &mut PgConnection,
        failures: &Failures,
        statement: &str,
        context: &JobContext,
        report: &mut MigrationReport,
    ) -> Result<()> {
        let mut retries = 0;
        loop {
            match connection.execute(AssertSqlSafe(statement)).await {
                Ok(_) => return Ok(()),
                Err(error) if gave_way(&error) && retries < self.retries_max => {
                    retries += 1;
                    report.retries += 1;
                    pause(failures, context).await?;
                }
                Err(error) => return Err(failures.of("mend", error)),
            }
        }
    }
}

/// Waits a moment before another attempt, no two replicas and attempts alike.
pub(super) async fn pause(failures: &Failures, context: &JobContext) -> Result<(), Error> {
    let pause = RETRY_PAUSE_MIN + Duration::from_millis(context.entropy.below(RETRY_SPREAD_MILLIS));
    tokio::select! {
        () = context.cancel.cancelled() => {
            Err(failures.problem(ErrorKind::Cancelled, "migrate", "stopped while others hold a lock"))
        }
        () = context.clock.sleep(pause) => Ok(()),
    }
}
