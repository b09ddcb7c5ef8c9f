//! Takes migrations back.

use alfred_ops_core::{ErrorKind, JobContext, Result};
use sqlx::migrate::Migration;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::failure::Failures;
use super::{MigrationReport, MigrationRunner, turn};

impl MigrationRunner {
    /// Takes these versions back by their down migrations, the newest first. Those that are not applied are passed over.
    ///
    /// After an error those that were taken back stay so, and a repeat goes on. What a down migration does not bring back,
    /// such as the rows of a dropped column, is lost: the guard looks at that.
    ///
    /// # Errors
    /// `Unsupported` before anything is done, if one of them has no down migration; else as of [`run`](Self::run).
    #[tracing::instrument(skip_all, fields(server = %self.server))]
    pub async fn undo(&self, versions: &[i64], context: &JobContext) -> Result<Vec<i64>> {
        let failures = Failures::at(&self.server);
        let mut undone = Vec::new();
        if versions.is_empty() {
            return Ok(undone);
        }
        let mut connection = self.connect(&failures).await?;
        turn::take(&mut connection, &failures, self.wait_max, context).await?;
        let mut there = self.recorded(&mut connection, versions, &failures).await?;
        there.sort_unstable_by(|one, other| other.cmp(one));
        let downs: Vec<&Migration> = there.iter().filter_map(|version| self.down_of(*version)).collect();
        if let Some(version) = there.iter().find(|version| self.down_of(**version).is_none()) {
            let message = format!("migration {version} has no down migration");
            return Err(failures
                .problem(ErrorKind::Unsupported, "undo migrations", message)
                .with_remedy("write one beside it: NUMBER_NAME.down.sql"));
        }
        let mut report = MigrationReport::default();
        for down in downs {
            turn::check(&mut connection, &failures).await?;
            let mut work = self.work(&mut connection, &failures, context, &mut report);
            work.revert(down).await?;
            tracing::warn!(version = down.version, "migration taken back");
            undone.push(down.version);
        }
        drop(connection.close().await);
        Ok(undone)
    }

    fn down_of(&self, version: i64) -> Option<&Migration> {
        self.migrator
            .iter()
            .find(|migration| migration.version == version && migration.migration_type.is_down_migration())
    }

    /// Which of these versions are recorded, as applied or as begun.
    pub(super) async fn recorded(
        &self,
        connection: &mut PgConnection,
        versions: &[i64],
        failures: &Failures,
    ) -> Result<Vec<i64>> {
        let query = format!("SELECT version FROM {} WHERE version = ANY ($1) ORDER BY version", self.table());
        let read = sqlx::query_scalar(AssertSqlSafe(query)).bind(versions).fetch_all(connection).await;
        read.map_err(|source| failures.of("look for migrations", source))
    }
}
