//! A schema, as queries see it.

use std::collections::BTreeSet;

use sqlx::{
    AssertSqlSafe, Column as _, Either, Executor as _, PgConnection, Row as _, Statement as _, TypeInfo as _,
};

/// Columns that an INSERT must give.
const NEEDED: &str = "SELECT n.nspname::text AS schema, c.relname::text AS table, a.attname::text AS column \
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND NOT a.atthasdef \
    AND a.attidentity = '' AND a.attgenerated = '' AND n.nspname NOT IN ('pg_catalog', 'information_schema')";

const TABLES: &str = "SELECT n.nspname::text AS schema, c.relname::text AS table FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') \
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')";

/// A column that an INSERT must give: schema, table, column.
pub(super) type NeededColumn = (String, String, String);

/// What a query takes and returns: types of parameters, names and types of columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) takes: Vec<String>,
    pub(super) returns: Vec<String>,
}

/// What `sql` takes and returns on the schema of `connection`; in the server's words why it refuses it. Runs nothing.
///
/// # Errors
/// The connection's.
pub(super) async fn shape(
    connection: &mut PgConnection,
    sql: &str,
) -> Result<Result<Shape, String>, sqlx::Error> {
    let prepared = connection.prepare(sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(sql.to_owned()))).await;
    let statement = match prepared {
        Ok(statement) => statement,
        Err(sqlx::Error::Database(error)) => return Ok(Err(error.message().to_owned())),
        Err(error) => return Err(error),
    };
    let takes = match statement.parameters() {
        Some(Either::Left(types)) => types.iter().map(|kind| kind.name().to_lowercase()).collect(),
        _ => Vec::new(),
    };
    let column = |column: &sqlx::postgres::PgColumn| {
        format!("{} {}", column.name(), column.type_info().name().to_lowercase())
    };
    Ok(Ok(Shape { takes, returns: statement.columns().iter().map(column).collect() }))
}

/// The columns that an INSERT must give.
pub(super) async fn needed_columns(
    connection: &mut PgConnection,
) -> Result<BTreeSet<NeededColumn>, sqlx::Error> {
    let rows = sqlx::query(NEEDED).fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("schema")?, row.try_get("table")?, row.try_get("column")?)))
        .collect()
}

/// The tables, each with its schema.
pub(super) async fn tables(connection: &mut PgConnection) -> Result<BTreeSet<(String, String)>, sqlx::Error> {
    let rows = sqlx::query(TABLES).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("schema")?, row.try_get("table")?))).collect()
}
