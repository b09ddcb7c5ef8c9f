//! A transaction of a guard, as its book knows it.

use alfred_ops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use sqlx::{Executor as _, PgConnection};

/// A server that lost its client ends the statement within this time.
pub(super) const NOTICE_SETTINGS: [(&str, &str); 1] = [("client_connection_check_interval", "2s")];

/// A transaction, by its backend and its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) pid: i32,
    pub(super) backend_start: String,
    pub(super) xid: String,
}

impl Begun {
    /// Begins one, with a number, so that what became of it can be asked later.
    pub(super) async fn begin(connection: &mut PgConnection) -> Result<Self> {
        let failed = |source: sqlx::Error| {
            Error::new(ErrorKind::Unavailable, "begin a change", "the server refused").with_source(source)
        };
        connection.execute("BEGIN").await.map_err(failed)?;
        let (pid, backend_start, xid) = sqlx::query_as(
            "SELECT pid, backend_start::text, pg_current_xact_id()::text FROM pg_stat_activity WHERE pid = pg_backend_pid()",
        )
        .fetch_one(connection)
        .await
        .map_err(failed)?;
        Ok(Self { pid, backend_start, xid })
    }

    /// Whether the connection is still within it.
    pub(super) async fn is_current(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let now = sqlx::query_scalar("SELECT coalesce(pg_current_xact_id_if_assigned()::text, '')");
        let now: String = now.fetch_one(connection).await?;
        Ok(now == self.xid)
    }
}
