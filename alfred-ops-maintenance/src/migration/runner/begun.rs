//! Migrations that no transaction holds together with their record.
//!
//! Such a one is recorded as begun before it runs, and as applied behind it. A crash in between leaves the first record, from
//! which the next run knows that whatever stands in its way is its own work.

use sqlx::migrate::{MigrateError, Migration};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use super::statement::Statement;
use crate::postgres::code_of;

/// The versions that were begun, and not recorded as applied, in the table of migrations.
pub(super) async fn list(connection: &mut PgConnection, table: &str) -> Result<Vec<i64>, sqlx::Error> {
    let query = format!("SELECT version FROM {table} WHERE NOT success");
    sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(connection).await
}

/// Runs a migration of these statements, of which `may_be_done` says whether its work may have been done before.
pub(super) async fn apply(
    connection: &mut PgConnection,
    table: &str,
    migration: &Migration,
    statements: &[Statement],
    may_be_done: bool,
) -> Result<(), MigrateError> {
    let begin = format!(
        "INSERT INTO {table} (version, description, success, checksum, execution_time) \
         VALUES ($1, $2, false, $3, -1) ON CONFLICT (version) DO NOTHING"
    );
    sqlx::query(AssertSqlSafe(begin))
        .bind(migration.version)
        .bind(&*migration.description)
        .bind(&*migration.checksum)
        .execute(&mut *connection)
        .await?;
    match connection.execute(migration.sql.clone()).await {
        Ok(_) => {}
        Err(error) if may_be_done && code_of(&error).is_some_and(|code| is_done(&code, statements)) => {}
        Err(error) => {
            // The runner removes what it has left. Without an answer nobody knows, and the record stays.
            if error.as_database_error().is_some() {
                let forget = format!("DELETE FROM {table} WHERE version = $1 AND NOT success");
                sqlx::query(AssertSqlSafe(forget)).bind(migration.version).execute(connection).await?;
            }
            return Err(MigrateError::ExecuteMigration(error, migration.version));
        }
    }
    let end = format!("UPDATE {table} SET success = true WHERE version = $1");
    sqlx::query(AssertSqlSafe(end)).bind(migration.version).execute(connection).await?;
    Ok(())
}

/// Whether an SQLSTATE says that what should be made is there, or that what should go is not. Something that is missing says
/// nothing of a statement that needs it.
fn is_done(code: &str, statements: &[Statement]) -> bool {
    let codes: &[&str] = if statements.iter().all(Statement::takes_away) {
        &["42P01", "42704", "42703", "42883", "3D000", "3F000"]
    } else {
        &["42P07", "42710", "42701", "42P04", "42P06"]
    };
    codes.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_was_taken_away_by_a_statement_that_takes_away() {
        let check = |sql: &str, code: &str, expected: bool| {
            assert_eq!(is_done(code, &Statement::all_of(sql)), expected, "{sql}: {code}");
        };
        check("CREATE INDEX CONCURRENTLY a ON t (x)", "42P07", true);
        check("CREATE INDEX CONCURRENTLY a ON t (x)", "42P01", false);
        check("CREATE INDEX CONCURRENTLY a ON t (x)", "42703", false);
        check("ALTER TYPE kind ADD VALUE 'a'", "42710", true);
        check("ALTER TYPE kind ADD VALUE 'a'", "42704", false);
        check("CREATE DATABASE d", "42P04", true);
        check("DROP INDEX CONCURRENTLY a", "42704", true);
        check("DROP TABLE t", "42P01", true);
        check("DROP DATABASE d", "3D000", true);
        check("DROP TABLE t", "42P07", false);
        check("ALTER TABLE t DROP COLUMN a", "42703", true);
        check("ALTER TABLE t ALTER a DROP NOT NULL", "42703", false);
        check("DROP TABLE t; CREATE INDEX a ON u (x)", "42P01", false);
    }
}
