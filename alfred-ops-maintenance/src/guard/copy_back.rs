//! Rows from the side server.

use alfred_ops_core::{Error, ErrorKind, Result};
use futures::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::report::CopiedRows;
use crate::TableName;
use crate::postgres::{Session, quoted};

const TRIGGERS: &str = "SELECT quote_ident(tgname), tgenabled = 'A' FROM pg_trigger \
                        WHERE tgrelid = $1::regclass AND NOT tgisinternal AND tgenabled IN ('O', 'A')";

/// A column that is copied.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Column {
    name: String,
    is_key: bool,
}

/// A table on its way back.
struct Copying<'a> {
    table: &'a TableName,
    /// Whether rows that did not exist at the restore point go.
    exactly: bool,
    columns: Vec<Column>,
    /// Triggers that are off, and whether each fires always.
    triggers: Vec<(String, bool)>,
    /// Where the rows of the side server lie while they are compared.
    stage: String,
    copied: CopiedRows,
}

/// Copies tables back in one transaction, parents first: rows that are gone return, rows that differ are set to what they
/// were. Rows that did not exist then stay, unless the table is wanted exactly as it was: those go before, children first.
///
/// Nobody else writes to the tables meanwhile; triggers of the tables do not fire. Foreign keys are obeyed, deferred ones at
/// the end. A row that existed and has been made to refer to a newer one keeps that from going, unless it follows by itself.
pub(super) async fn copy_back(
    side: &mut Session,
    live: &mut Session,
    tables: &[(TableName, bool)],
) -> Result<Vec<CopiedRows>> {
    let begun = live.connection.begin().await;
    let mut transaction = begun.map_err(|source| failed("begin", source))?;
    let mut all = Vec::new();
    for (number, (table, exactly)) in tables.iter().enumerate() {
        let begun = Copying::begin(&mut side.connection, &mut transaction, table, *exactly, number).await?;
        all.push(begun);
    }
    for copying in all.iter_mut().rev() {
        copying.newer(&mut transaction).await?;
    }
    for copying in &mut all {
        copying.older(&mut transaction).await?;
    }
    // A table is not altered while a constraint waits for the end.
    let now = transaction.execute("SET CONSTRAINTS ALL IMMEDIATE").await;
    now.map_err(|source| failed("look at what refers to the rows", source))?;
    for copying in &all {
        copying.end(&mut transaction).await?;
    }
    transaction.commit().await.map_err(|source| failed("commit", source))?;
    Ok(all.into_iter().map(|copying| copying.copied).collect())
}

impl<'a> Copying<'a> {
    /// Locks the table, brings the side server's rows beside it, and keeps triggers from firing.
    async fn begin(
        side: &mut PgConnection,
        live: &mut PgConnection,
        table: &'a TableName,
        exactly: bool,
        number: usize,
    ) -> Result<Self> {
        let at = |what: &'static str| move |source| failed(what, source).with_target(table.to_string());
        let lock = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        live.execute(AssertSqlSafe(lock)).await.map_err(at("lock"))?;
        let columns = columns(live, table).await.map_err(at("look at columns"))?;
        if !columns.iter().any(|column| column.is_key) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "copy back",
                format!("{table} has no primary key, by which rows could be told apart"),
            )
            .with_remedy("copy it by hand from the side server"));
        }
        let stage = format!("pg_temp.alfred_ops_rows_{number}");
        fetch(side, live, table, &stage, &columns).await.map_err(at("copy rows"))?;
        let triggers: Vec<(String, bool)> = sqlx::query_as(TRIGGERS)
            .bind(table.to_string())
            .fetch_all(&mut *live)
            .await
            .map_err(at("look at triggers"))?;
        for (name, _) in &triggers {
            let disable = format!("ALTER TABLE {table} DISABLE TRIGGER {name}");
            live.execute(AssertSqlSafe(disable)).await.map_err(at("disable a trigger"))?;
        }
        let copied = CopiedRows { table: table.to_string(), ..CopiedRows::default() };
        Ok(Self { table, exactly, columns, triggers, stage, copied })
    }

    fn same(&self) -> String {
        let keys = self.columns.iter().filter(|column| column.is_key);
        joined(keys.map(|key| format!("t.{0} = s.{0}", quoted(&key.name))), " AND ")
    }

    /// Removes or counts the rows that did not exist at the restore point.
    async fn newer(&mut self, live: &mut PgConnection) -> Result<()> {
        let (table, stage, same) = (self.table, &self.stage, self.same());
        let at = |what: &'static str| move |source| failed(what, source).with_target(table.to_string());
        let newer = format!("FROM {table} t WHERE NOT EXISTS (SELECT FROM {stage} s WHERE {same})");
        if self.exactly {
            let delete = format!("DELETE {newer}");
            self.copied.newer_removed = rows(live, delete).await.map_err(at("remove newer rows"))?;
        } else {
            let count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(format!("SELECT count(*) {newer}")));
            let count = count.fetch_one(&mut *live).await.map_err(at("count newer rows"))?;
            self.copied.newer_kept = count.unsigned_abs();
        }
        Ok(())
    }

    /// Sets the rows that existed at the restore point to what they were.
    async fn older(&mut self, live: &mut PgConnection) -> Result<()> {
        let (Self { table, stage, columns, .. }, same) = (&*self, self.same());
        let at = |what: &'static str| move |source| failed(what, source).with_target(table.to_string());
        let values: Vec<&Column> = columns.iter().filter(|column| !column.is_key).collect();
        let mut overwritten = 0;
        if !values.is_empty() {
            let set = joined(values.iter().map(|value| format!("{0} = s.{0}", quoted(&value.name))), ", ");
            // As text: not every type can be compared.
            let of = |side: &str| {
                let list = joined(values.iter().map(|value| format!("{side}.{}", quoted(&value.name))), ", ");
                format!("ROW({list})::text")
            };
            let update = format!(
                "UPDATE {table} t SET {set} FROM {stage} s WHERE {same} AND {} IS DISTINCT FROM {}",
                of("t"),
                of("s")
            );
            overwritten = rows(live, update).await.map_err(at("set rows to what they were"))?;
        }
        let list = joined(columns.iter().map(|column| quoted(&column.name)), ", ");
        let insert = format!(
            "INSERT INTO {table} ({list}) OVERRIDING SYSTEM VALUE SELECT {list} FROM {stage} s \
             WHERE NOT EXISTS (SELECT FROM {table} t WHERE {same})"
        );
        let returned = rows(live, insert).await.map_err(at("return rows"))?;
        (self.copied.overwritten, self.copied.returned) = (overwritten, returned);
        Ok(())
    }

    /// Lets triggers fire again.
    async fn end(&self, live: &mut PgConnection) -> Result<()> {
        let table = self.table;
        for (name, always) in &self.triggers {
            let always = if *always { "ALWAYS " } else { "" };
            let enable = format!("ALTER TABLE {table} ENABLE {always}TRIGGER {name}");
            let enabled = live.execute(AssertSqlSafe(enable)).await;
            enabled.map_err(|source| failed("enable a trigger", source).with_target(table.to_string()))?;
        }
        Ok(())
    }
}

/// The columns that are not computed from others.
async fn columns(live: &mut PgConnection, table: &TableName) -> Result<Vec<Column>, sqlx::Error> {
    sqlx::query_as(
        "SELECT a.attname::text AS name, coalesce(a.attnum = ANY (i.indkey::int2[]), false) AS is_key \
         FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary \
         WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum",
    )
    .bind(table.to_string())
    .fetch_all(live)
    .await
}

/// Brings the side server's rows into a temporary table. As text: types may have other numbers there.
async fn fetch(
    side: &mut PgConnection,
    live: &mut PgConnection,
    table: &TableName,
    stage: &str,
    columns: &[Column],
) -> Result<(), sqlx::Error> {
    let list = joined(columns.iter().map(|column| quoted(&column.name)), ", ");
    let make =
        format!("CREATE TEMPORARY TABLE {stage} ON COMMIT DROP AS SELECT {list} FROM {table} WHERE false");
    live.execute(AssertSqlSafe(make)).await?;
    let mut from = side.copy_out_raw(&format!("COPY (SELECT {list} FROM {table}) TO STDOUT")).await?;
    let mut into = live.copy_in_raw(&format!("COPY {stage} ({list}) FROM STDIN")).await?;
    loop {
        match from.try_next().await {
            Ok(Some(bytes)) => {
                into.send(bytes).await?;
            }
            Ok(None) => break,
            Err(error) => {
                into.abort("the side server failed").await?;
                return Err(error);
            }
        }
    }
    into.finish().await?;
    drop(from);
    let keys = joined(columns.iter().filter(|column| column.is_key).map(|key| quoted(&key.name)), ", ");
    live.execute(AssertSqlSafe(format!("CREATE INDEX ON {stage} ({keys}); ANALYZE {stage}"))).await?;
    Ok(())
}

async fn rows(live: &mut PgConnection, statement: String) -> Result<u64, sqlx::Error> {
    Ok(live.execute(AssertSqlSafe(statement)).await?.rows_affected())
}

fn joined(parts: impl Iterator<Item = String>, by: &str) -> String {
    parts.collect::<Vec<_>>().join(by)
}

fn failed(what: &str, source: sqlx::Error) -> Error {
    let said = source
        .as_database_error()
        .map_or_else(|| "the connection failed".to_owned(), |error| error.message().to_owned());
    Error::new(ErrorKind::Unavailable, "copy back", format!("{what}: {said}")).with_source(source)
}
