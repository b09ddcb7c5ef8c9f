//! What a migration outside of a transaction can have left, for the guard.

use alfred_ops_core::{JobContext, Result};
use sqlx::migrate::Migration;

use super::damage::Damage;
use super::failure::Failures;
use super::runner::{MigrationRunner, statements_of};
use super::statement::Statement;
use super::words::{Word, statements};
use super::{MigrationReport, damage, turn};

/// Statements that may commit in their midst.
const COMMITTING: [&str; 2] = ["call", "do"];

/// What there is of migrations that should not be there.
#[derive(Debug)]
pub(crate) struct Leftovers {
    /// Those of them that are recorded, as applied or as begun.
    pub(crate) recorded: Vec<i64>,
    /// The half-built indexes that they alone can have left, as they stand in SQL with their schema.
    pub(crate) half_built: Vec<String>,
}

impl MigrationRunner {
    /// Which migrations are to be applied. Makes their table if there is none: it is no part of any change.
    pub(crate) async fn prepared(&self) -> Result<Vec<i64>> {
        let failures = Failures::at(&self.server);
        let mut connection = self.connect(&failures).await?;
        self.prepare(&mut connection, &failures).await?;
        let (plan, _) = self.pending(&mut connection, &failures).await?;
        Ok(plan.pending.into_iter().map(|(version, _)| version).collect())
    }

    /// What there is of these migrations once nobody migrates: the server may still work for a host that is gone.
    pub(crate) async fn leftovers(&self, versions: &[i64], context: &JobContext) -> Result<Leftovers> {
        let failures = Failures::at(&self.server);
        let mut connection = self.connect(&failures).await?;
        turn::take(&mut connection, &failures, self.wait_max, context).await?;
        let recorded = self.recorded(&mut connection, versions, &failures).await?;
        let waste = damage::waste_of(&mut connection, &self.breakable(versions)).await;
        let waste = waste.map_err(|source| failures.of("look for damage", source))?;
        Ok(Leftovers { recorded, half_built: waste.into_iter().map(|damage| damage.quoted).collect() })
    }

    /// Removes these of the half-built indexes that such migrations have left. Gives way as migrations do.
    pub(crate) async fn remove_half_built(
        &self,
        versions: &[i64],
        indexes: &[String],
        context: &JobContext,
    ) -> Result<()> {
        let failures = Failures::at(&self.server);
        let mut connection = self.connect(&failures).await?;
        turn::take(&mut connection, &failures, self.wait_max, context).await?;
        let mut report = MigrationReport::default();
        let is_meant = |damage: &Damage| indexes.contains(&damage.quoted);
        let mut work = self.work(&mut connection, &failures, context, &mut report);
        work.clear_behind(&self.breakable(versions), is_meant).await
    }

    /// Whether a migration runs outside of a transaction, so that something of it may stay when the server refuses it.
    pub(crate) fn is_outside_of_transactions(&self, version: i64) -> bool {
        self.up_of(version).is_some_and(|up| up.no_tx)
    }

    /// Whether a migration outside of a transaction has touched no rows when the server refused it: it is a single statement
    /// and commits nothing in its midst.
    pub(crate) fn spares_rows(&self, version: i64) -> bool {
        self.up_of(version).is_some_and(|up| is_single_statement(up.sql.as_str()))
    }

    /// The statements of these migrations that no transaction holds together.
    fn breakable(&self, versions: &[i64]) -> Vec<Statement> {
        statements_of(versions.iter().filter_map(|version| self.up_of(*version)).filter(|up| up.no_tx))
    }

    fn up_of(&self, version: i64) -> Option<&Migration> {
        self.ups().find(|up| up.version == version)
    }
}

/// Whether a text is one statement that is done as a whole or not at all, apart from an index built concurrently.
fn is_single_statement(text: &str) -> bool {
    match &statements(text)[..] {
        [] => true,
        [only] => !matches!(only.first(), Some(Word::Plain(first)) if COMMITTING.contains(&first.as_str())),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_statement_is_told_from_several() {
        let check = |text: &str, single: bool| assert_eq!(is_single_statement(text), single, "{text}");
        check("-- no-transaction\n-- for the board\nCREATE INDEX CONCURRENTLY i ON t (a);\n", true);
        check("-- no-transaction\nVACUUM t", true);
        check("-- a; b\nDELETE FROM t WHERE a = ';' /* c; */", true);
        check("DELETE FROM t; CREATE INDEX CONCURRENTLY i ON t (a)", false);
        check("-- no-transaction\nCALL purge()", false);
        check("DO $$ BEGIN COMMIT END $$", false);
        check("/* by hand */ CALL purge()", false);
        check("-- no-transaction", true);
    }
}
