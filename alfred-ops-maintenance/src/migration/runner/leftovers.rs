//! What a migration outside of a transaction can have left, for the guard.

use sqlx::migrate::Migration;

use super::runner::MigrationRunner;
use super::statement::Statement;

/// Statements that may commit in their midst.
const COMMITTING: [&str; 2] = ["call", "do"];

impl MigrationRunner {
    /// Whether a migration runs outside of a transaction, so that something of it may stay when the server refuses it.
    pub(crate) fn is_outside_of_transactions(&self, version: i64) -> bool {
        self.up_of(version).is_some_and(|up| up.no_tx)
    }

    /// Whether a migration outside of a transaction has touched no rows when the server refused it: it is a single statement
    /// and commits nothing in its midst.
    pub(crate) fn spares_rows(&self, version: i64) -> bool {
        self.up_of(version).is_some_and(|up| is_single_statement(up.sql.as_str()))
    }

    /// Whether one of these migrations builds an index of this name concurrently.
    pub(crate) fn builds_index(&self, versions: &[i64], name: &str) -> bool {
        let builds = |statement: &Statement| matches!(statement, Statement::BuildsIndex { index, .. } if index.as_deref() == Some(name));
        let mut ups = versions.iter().filter_map(|version| self.up_of(*version));
        ups.any(|up| up.no_tx && Statement::all_of(up.sql.as_str()).iter().any(builds))
    }

    fn up_of(&self, version: i64) -> Option<&Migration> {
        self.migrator
            .iter()
            .find(|migration| migration.version == version && !migration.migration_type.is_down_migration())
    }
}

/// Whether a text is one statement that is done as a whole or not at all, apart from an index built concurrently. In doubt it
/// is not.
fn is_single_statement(text: &str) -> bool {
    let mut rest = text.trim_start();
    while rest.starts_with("--") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
    }
    let statement = rest.trim_end().trim_end_matches(';');
    let first = statement.split_whitespace().next().unwrap_or_default().to_lowercase();
    !statement.contains(';') && !statement.starts_with("/*") && !COMMITTING.contains(&first.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_statement_is_told_from_several() {
        let check = |text: &str, single: bool| assert_eq!(is_single_statement(text), single, "{text}");
        check("-- no-transaction\n-- for the board\nCREATE INDEX CONCURRENTLY i ON t (a);\n", true);
        check("-- no-transaction\nVACUUM t", true);
        check("DELETE FROM t; CREATE INDEX CONCURRENTLY i ON t (a)", false);
        check("-- no-transaction\nCALL purge()", false);
        check("DO $$ BEGIN COMMIT END $$", false);
        check("/* by hand */ CALL purge()", false);
        check("-- no-transaction", true);
    }
}
