//! What the rows of a table come to.

use alfred_ops_core::Result;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;

use crate::TableName;
use crate::postgres::{Session, quoted};

/// A protected table as it was before a change: its columns, the number of its rows, and a sum over all of them that does not
/// depend on their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rows {
    schema: String,
    table: String,
    columns: Vec<String>,
    count: i64,
    sum: String,
}

impl Rows {
    /// Reads the whole table.
    pub(super) async fn read(session: &mut Session, table: &TableName) -> Result<Self> {
        let columns = columns(session, table).await?;
        let (schema, name) = (table.schema().to_owned(), table.table().to_owned());
        let (count, sum) = sum(session, table, &columns).await?;
        Ok(Self { schema, table: name, columns, count, sum })
    }

    pub(super) fn table(&self) -> TableName {
        TableName::of_catalog(self.schema.clone(), self.table.clone())
    }

    /// Why the table does not hold the same rows in the same columns; `None` if it does.
    pub(super) async fn differ(&self, session: &mut Session) -> Result<Option<String>> {
        let table = self.table();
        let now = columns(session, &table).await?;
        if let Some(gone) = self.columns.iter().find(|column| !now.contains(column)) {
            return Ok(Some(if now.is_empty() {
                format!("{table} is gone")
            } else {
                format!("{table} has no column {}", quoted(gone))
            }));
        }
        let (count, sum) = sum(session, &table, &self.columns).await?;
        if count != self.count {
            return Ok(Some(format!("{table} has {count} rows instead of {}", self.count)));
        }
        Ok((sum != self.sum).then(|| format!("{table} has {count} rows as before, with other values")))
    }
}

/// The columns by name, so that their order in the table makes no difference.
async fn columns(session: &mut Session, table: &TableName) -> Result<Vec<String>> {
    let read = sqlx::query_scalar(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped \
         ORDER BY attname",
    )
    .bind(table.to_string())
    .fetch_all(&mut session.connection)
    .await;
    read.map_err(|source| session.failed("look at a table", source))
}

async fn sum(session: &mut Session, table: &TableName, columns: &[String]) -> Result<(i64, String)> {
    let list = columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
    let query = format!(
        "SELECT count(*), coalesce(sum(('x' || left(md5(ROW({list})::text), 15))::bit(60)::bigint::numeric), 0)::text \
         FROM {table}"
    );
    let read = sqlx::query_as(AssertSqlSafe(query)).fetch_one(&mut session.connection).await;
    read.map_err(|source| session.failed("read a protected table", source))
}
