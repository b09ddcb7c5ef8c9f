//! The runner.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{EntropyExt as _, Error, ErrorKind, JobContext, PostgresOptions, Result};
use sqlx::migrate::{Migrate as _, MigrateError, Migration, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use super::failure::Failures;
use super::statement::Statement;
use super::terms::Terms;
use super::work::Work;
use super::{MigrationPlan, MigrationReport, begun, damage, turn};
use crate::postgres::{NO_SESSION_REMEDY, SessionSettings, Unsettled};

/// A statement that waits for a lock holds up everybody behind it; it gives way after this time.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a statement gives way before the run ends.
const RETRIES_MAX: u32 = 60;
/// Nobody waits behind a statement that builds an index concurrently, and each that gives way builds from the beginning again.
const PATIENT_LOCK_TIMEOUT: Duration = Duration::from_secs(60);
const PATIENT_RETRIES_MAX: u32 = 2;
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(250);
const RETRY_SPREAD_MILLIS: u64 = 1000;
/// The first replica may build a large index meanwhile.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// Applies sqlx' migrations from many replicas at once, as they start.
///
/// One replica works at a time and the others wait without holding anything in the server. No statement behind which others
/// wait does so longer for a lock than a moment: it gives way to those who hold it, and to those behind it, and tries again.
/// Statements outside of a transaction (`-- no-transaction`) take as long as they take, whatever the role's `statement_timeout`
/// says, and may be broken off at any time, by a crash too: a half-built index is removed before the migration that builds it
/// begins anew, and when it fails; one that somebody else has recorded as built is finished. Half-built is an index that is not
/// valid, has the name, and stands on the table; no other is touched.
///
/// What is applied is recorded as sqlx' own migrator does, in its table. All replicas must use this runner, which takes a lock of
/// its own. Of a migrator's `set_ignore_missing` and schemas to create the same holds as with sqlx.
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
    terms: Terms,
    patient: Terms,
    pub(super) wait_max: Duration,
}

impl MigrationRunner {
    /// Applies what `migrator` holds to the database of `server`. Nothing happens before a call.
    #[must_use]
    pub fn new(server: PostgresOptions, migrator: Arc<Migrator>) -> Self {
        let server = server.with_application_name("alfred-ops migrations");
        let terms = Terms { lock_timeout: LOCK_TIMEOUT, retries_max: RETRIES_MAX };
        let patient = Terms { lock_timeout: PATIENT_LOCK_TIMEOUT, retries_max: PATIENT_RETRIES_MAX };
        Self { server, migrator, terms, patient, wait_max: WAIT_MAX }
    }

    /// Sets how long a statement waits for a lock before it gives way (2 s), and how often it does so (60 times). It is
    /// meant for statements behind which others wait; for those that build indexes see [`with_patience`](Self::with_patience).
    #[must_use]
    pub const fn giving_way(mut self, lock_timeout: Duration, retries_max: u32) -> Self {
        self.terms = Terms { lock_timeout, retries_max };
        self
    }

    /// Sets the same of statements behind which nobody waits: those that build, rebuild or drop an index concurrently, and
    /// `VACUUM`. Such a one waits for every transaction that was there before it (60 s), and one that gives way is begun from
    /// the beginning (2 times).
    #[must_use]
    pub const fn with_patience(mut self, lock_timeout: Duration, retries_max: u32) -> Self {
        self.patient = Terms { lock_timeout, retries_max };
        self
    }

    /// Sets how long a replica waits for its turn; an hour if not given.
    #[must_use]
    pub const fn with_wait_max(mut self, wait_max: Duration) -> Self {
        self.wait_max = wait_max;
        self
    }

    /// What a run would do now. Waits for nobody and changes nothing.
    ///
    /// # Errors
    /// As of [`run`](Self::run), but for those of statements.
    pub async fn plan(&self) -> Result<MigrationPlan> {
        let failures = Failures::at(&self.server);
        let mut connection = self.connect(&failures).await?;
        let (mut plan, _) = self.pending(&mut connection, &failures).await?;
        let is_pending = |version: i64| plan.pending.iter().any(|(pending, _)| *pending == version);
        let (pending, applied): (Vec<_>, Vec<_>) = self.ups().partition(|up| is_pending(up.version));
        let left = damage::left_by(&mut connection, &statements_of(applied)).await;
        let left = left.map_err(|source| failures.of("look for damage", source))?;
        let goes = |name: &str| {
            statements_of(pending.iter().copied()).iter().any(|statement| match statement {
                Statement::DropsIndexes(indexes) => indexes.iter().any(|index| index.name == name),
                _ => false,
            })
        };
        plan.unfinished = left.into_iter().map(|damage| damage.name).filter(|name| !goes(name)).collect();
        Ok(plan)
    }

    /// Waits for its turn and applies what is pending. After `Ok` everything is applied, and no index is half-built.
    ///
    /// After an error, a cancellation or a crash the migrations that are applied stay, and the next run goes on. Dropping the
    /// future gives the turn back as soon as the server has ended the statement under way. An index that could not be dropped
    /// concurrently because somebody held a lock is not valid after the error, and goes with the next run.
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
        self.prepare(&mut connection, &failures).await?;
        let (plan, begun) = self.pending(&mut connection, &failures).await?;
        let mut work = self.work(&mut connection, &failures, context, &mut report);
        for up in self.ups() {
            turn::check(work.connection, &failures).await?;
            if context.cancel.is_cancelled() {
                return Err(failures.problem(
                    ErrorKind::Cancelled,
                    "migrate",
                    "stopped between two migrations",
                ));
            }
            if plan.pending.iter().any(|(version, _)| *version == up.version) {
                work.apply(up, begun.contains(&up.version)).await?;
                tracing::info!(version = up.version, description = %up.description, "migration applied");
                work.report.applied.push(up.version);
            }
        }
        work.finish(&statements_of(self.ups())).await?;
        // The turn goes with the connection.
        drop(connection.close().await);
        Ok(report)
    }

    pub(super) fn ups(&self) -> impl Iterator<Item = &Migration> {
        self.migrator.iter().filter(|migration| !migration.migration_type.is_down_migration())
    }

    /// The table that sqlx' own migrator would use, so that either can go on where the other has stopped.
    pub(super) fn table(&self) -> &str {
        &self.migrator.table_name
    }

    pub(super) fn work<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        failures: &'a Failures,
        context: &'a JobContext,
        report: &'a mut MigrationReport,
    ) -> Work<'a> {
        let (table, terms, patient) = (self.table(), self.terms, self.patient);
        Work { connection, failures, context, report, table, terms, patient }
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
        let settings = SessionSettings::with_lock_timeout(self.terms.lock_timeout);
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

    /// Makes the table of migrations, and the schemas that the migrator names for it, if there are none.
    pub(super) async fn prepare(&self, connection: &mut PgConnection, failures: &Failures) -> Result<()> {
        let failed = |error: MigrateError| failures.of_table(error);
        for schema in self.migrator.create_schemas.iter() {
            connection.create_schema_if_not_exists(schema).await.map_err(failed)?;
        }
        // Where it is there, nobody needs the right to make one.
        if !self.has_table(connection, failures).await? {
            connection.ensure_migrations_table(self.table()).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn has_table(&self, connection: &mut PgConnection, failures: &Failures) -> Result<bool> {
        let there = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(self.table());
        there.fetch_one(connection).await.map_err(|source| failures.of("look for migrations", source))
    }

    /// Compares what is applied with what there is: what is pending, and which versions were begun and not recorded as
    /// applied.
    pub(super) async fn pending(
        &self,
        connection: &mut PgConnection,
        failures: &Failures,
    ) -> Result<(MigrationPlan, Vec<i64>)> {
        let (mut applied, mut begun) = (Vec::new(), Vec::new());
        if self.has_table(connection, failures).await? {
            let listed = connection.list_applied_migrations(self.table()).await;
            applied = listed.map_err(|error| failures.of_table(error))?;
            let listed = begun::list(connection, self.table()).await;
            begun = listed.map_err(|source| failures.of("look for begun ones", source))?;
        }
        applied.retain(|applied| !begun.contains(&applied.version));
        let applied: HashMap<i64, _> =
            applied.into_iter().map(|applied| (applied.version, applied.checksum)).collect();
        let refuse = |message: String, remedy: &'static str| {
            Err(failures.problem(ErrorKind::InvalidInput, "migrate", message).with_remedy(remedy))
        };
        let mut plan = MigrationPlan::default();
        for up in self.ups() {
            match applied.get(&up.version) {
                Some(checksum) if *checksum != up.checksum => {
                    let message = format!("migration {} was changed after it was applied", up.version);
                    return refuse(message, "put the file back as it was, and write a new migration");
                }
                Some(_) => {}
                None if has_unnamed_index(up) => {
                    let message =
                        format!("migration {} builds an index concurrently and gives it no name", up.version);
                    return refuse(message, "name the index: half-built it could not be told from others");
                }
                None => plan.pending.push((up.version, up.description.to_string())),
            }
        }
        let newest = self.ups().map(|up| up.version).max();
        for version in applied.keys().filter(|version| !self.migrator.version_exists(**version)) {
            if newest.is_some_and(|newest| *version < newest) && !self.migrator.ignore_missing {
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
}

pub(super) fn statements_of<'a>(migrations: impl IntoIterator<Item = &'a Migration>) -> Vec<Statement> {
    migrations.into_iter().flat_map(|migration| Statement::all_of(migration.sql.as_str())).collect()
}

fn has_unnamed_index(migration: &Migration) -> bool {
    let statements = Statement::all_of(migration.sql.as_str());
    statements.iter().any(|statement| matches!(statement, Statement::BuildsIndex { index: None, .. }))
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
