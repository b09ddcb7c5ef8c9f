//! One run's session, and what it does with statements.

use alfred_ops_core::{ErrorKind, JobContext, Result};
use sqlx::migrate::{Migrate as _, MigrateError, Migration};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use super::damage::{self, Damage};
use super::failure::Failures;
use super::runner::pause;
use super::statement::Statement;
use super::terms::Terms;
use super::{MigrationReport, begun};
use crate::postgres::gave_way;

/// What was broken off while it was mended is looked for again so often.
const MENDING_ROUNDS: u32 = 3;

/// A session that has its turn.
pub(super) struct Work<'a> {
    pub(super) connection: &'a mut PgConnection,
    pub(super) failures: &'a Failures,
    pub(super) context: &'a JobContext,
    pub(super) report: &'a mut MigrationReport,
    /// The table of migrations.
    pub(super) table: &'a str,
    /// Of statements behind which others wait.
    pub(super) terms: Terms,
    /// Of statements behind which nobody waits.
    pub(super) patient: Terms,
}

impl Work<'_> {
    /// Applies a migration, of which `was_begun` says that a run before this has begun it.
    pub(super) async fn apply(&mut self, up: &Migration, was_begun: bool) -> Result<()> {
        self.bring_about(up, was_begun).await
    }

    /// Takes a migration back.
    pub(super) async fn revert(&mut self, down: &Migration) -> Result<()> {
        self.bring_about(down, false).await
    }

    /// Runs a migration until it is done, removes what an attempt outside of a transaction has left, and gives way.
    async fn bring_about(&mut self, migration: &Migration, was_begun: bool) -> Result<()> {
        let statements = Statement::all_of(migration.sql.as_str());
        let is_patient = migration.no_tx && statements.iter().all(Statement::holds_nobody_up);
        let terms = if is_patient { self.patient } else { self.terms };
        if migration.no_tx {
            self.begin(terms).await?;
            self.clear(&statements).await?;
        }
        let (mut retries, mut may_be_done) = (0, was_begun);
        loop {
            let error = match self.attempt(migration, &statements, may_be_done).await {
                Ok(()) => break,
                Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => error,
                Err(error) => return Err(self.failures.of_migration(migration.version, error)),
            };
            if migration.no_tx && error.as_database_error().is_some() {
                // What went wrong first is the news, and the next run removes what is left.
                if let Err(error) = self.clear(&statements).await {
                    tracing::warn!(version = migration.version, %error, "what a migration has left is there still");
                }
            }
            if !gave_way(&error) || retries >= terms.retries_max {
                let error = MigrateError::ExecuteMigration(error, migration.version);
                return Err(self.failures.of_migration(migration.version, error));
            }
            retries += 1;
            self.report.retries += 1;
            // An index that was on its way out may have gone meanwhile.
            may_be_done = statements.iter().all(|statement| matches!(statement, Statement::DropsIndexes(_)));
            tracing::warn!(
                version = migration.version,
                retries,
                "migration gave way to somebody who holds a lock"
            );
            pause(self.failures, self.context).await?;
        }
        if migration.no_tx { self.end().await } else { Ok(()) }
    }

    async fn attempt(
        &mut self,
        migration: &Migration,
        statements: &[Statement],
        may_be_done: bool,
    ) -> Result<(), MigrateError> {
        if migration.migration_type.is_down_migration() {
            self.connection.revert(self.table, migration).await.map(drop)
        } else if migration.no_tx {
            begun::apply(self.connection, self.table, migration, statements, may_be_done).await
        } else {
            self.connection.apply(self.table, migration).await.map(drop)
        }
    }

    /// Removes the half-built indexes that these statements have left, and nobody else can have.
    async fn clear(&mut self, statements: &[Statement]) -> Result<()> {
        self.remove(statements, |_| true).await
    }

    /// Removes such ones behind a migration, those of them that are meant.
    #[cfg(feature = "guard")]
    pub(super) async fn clear_behind(
        &mut self,
        statements: &[Statement],
        is_meant: impl Fn(&Damage) -> bool,
    ) -> Result<()> {
        self.begin(self.patient).await?;
        self.remove(statements, is_meant).await?;
        self.end().await
    }

    async fn remove(&mut self, statements: &[Statement], is_meant: impl Fn(&Damage) -> bool) -> Result<()> {
        let found = damage::waste_of(self.connection, statements).await;
        let found = found.map_err(|source| self.failures.of("look for damage", source))?;
        for damage in found.into_iter().filter(is_meant) {
            self.mend(&damage.remove()).await?;
            tracing::warn!(name = damage.name, "a half-built index is removed");
            self.report.removed.push(damage.name);
        }
        Ok(())
    }

    /// Finishes what these statements, which are recorded as done, have left unfinished.
    pub(super) async fn finish(&mut self, statements: &[Statement]) -> Result<()> {
        for round in 0.. {
            let left = damage::left_by(self.connection, statements).await;
            let left = left.map_err(|source| self.failures.of("look for damage", source))?;
            let Some(first) = left.first() else { break };
            if round == MENDING_ROUNDS {
                let message = format!("{} is not finished, although every statement has run", first.name);
                return Err(self
                    .failures
                    .problem(ErrorKind::Internal, "migrate", message)
                    .with_remedy("look at it in pg_index"));
            }
            self.begin(self.patient).await?;
            for damage in left {
                self.mend(&damage.finish()).await?;
                tracing::warn!(name = damage.name, "what an earlier migration left unfinished is finished");
                self.report.finished.push(damage.name);
            }
            self.end().await?;
        }
        Ok(())
    }

    /// Runs a statement outside of a transaction, and gives way as migrations do.
    async fn mend(&mut self, statement: &str) -> Result<()> {
        let mut retries = 0;
        loop {
            match self.connection.execute(AssertSqlSafe(statement)).await {
                Ok(_) => return Ok(()),
                Err(error) if gave_way(&error) && retries < self.patient.retries_max => {
                    retries += 1;
                    self.report.retries += 1;
                    pause(self.failures, self.context).await?;
                }
                Err(error) => return Err(self.failures.of("mend", error)),
            }
        }
    }

    async fn begin(&mut self, terms: Terms) -> Result<()> {
        let begun = terms.begin(self.connection).await;
        begun.map_err(|source| self.failures.of("set timeouts", source))
    }

    async fn end(&mut self) -> Result<()> {
        let ended = self.terms.end(self.connection).await;
        ended.map_err(|source| self.failures.of("set timeouts", source))
    }
}
