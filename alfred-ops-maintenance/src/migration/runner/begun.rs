//! Migrations that no transaction holds together with their record.
//!
//! Such a one is recorded as begun before it runs, and as applied behind it. A crash in between leaves the first record, from
//! which the next run knows that whatever stands in its way is its own work.

use sqlx::migrate::{MigrateError, Migration};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use super::runner::TABLE;
use crate::postgres::code_of;

/// The versions that were begun, and not recorded as applied.
pub(super) async fn list(connection: &mut PgConnection) -> Result<Vec<i64>, sqlx::Error> {
    let query = format!("SELECT version FROM {TABLE} WHERE NOT success");
    sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(connection).await
}

/// Runs a migration of which `begun` says whether it was begun before.
pub(super) async fn apply(
    connection: &mut PgConnection,
    migration: &Migration,
    begun: bool,
) -> Result<(), MigrateError> {
    let begin = format!(
        "INSERT INTO {TABLE} (version, description, success, checksum, execution_time) \
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
        Err(error) if begun && is_done_already(&error) => {}
        Err(error) => {
            // Refused by the server it has done nothing. Without an answer nobody knows, and the record stays.
            if error.as_database_error().is_some() {
                let forget = format!("DELETE FROM {TABLE} WHERE version = $1 AND NOT success");
                sqlx::query(AssertSqlSafe(forget)).bind(migration.version).execute(connection).await?;
            }
            return Err(MigrateError::ExecuteMigration(error, migration.version));
        }
    }
    let end = format!("UPDATE {TABLE} SET success = true WHERE version = $1");
    sqlx::query(AssertSqlSafe(end)).bind(migration.version).execute(connection).await?;
    Ok(())
}

/// Whether what should be made is there, or what should go is not.
fn is_done_already(error: &sqlx::Error) -> bool {
    let code = code_of(error);
    let made = ["42P07", "42710", "42701", "42P04", "42P06"];
    let gone = ["42P01", "42704", "42703", "3D000", "3F000"];
    code.is_some_and(|code| made.contains(&code.as_str()) || gone.contains(&code.as_str()))
}
