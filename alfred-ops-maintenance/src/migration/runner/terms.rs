//! How long a session's statements may take and wait.

use std::time::Duration;

use sqlx::PgConnection;

/// How long a statement waits for a lock before it gives way, and how often it is begun anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) lock_timeout: Duration,
    pub(super) retries_max: u32,
}

impl Terms {
    /// Lets statements take as long as they take: what the role or the database is limited to is meant for applications. A
    /// name that the server's version does not have is passed over.
    pub(super) async fn begin(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let query = "SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN $1 ELSE '0' END, false) FROM pg_settings \
                     WHERE name IN ('lock_timeout', 'statement_timeout', 'transaction_timeout')";
        sqlx::query(query).bind(self.lock_timeout_text()).execute(connection).await.map(drop)
    }

    /// As the server takes it; zero would mean no limit.
    pub(super) fn lock_timeout_text(self) -> String {
        format!("{}ms", self.lock_timeout.as_millis().max(1))
    }

    /// Brings back the limits of statements behind which others wait, which are these, and what else the session began with.
    pub(super) async fn end(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let query = "SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN $1 ELSE reset_val END, false) \
                     FROM pg_settings WHERE name IN ('lock_timeout', 'statement_timeout', 'transaction_timeout')";
        sqlx::query(query).bind(self.lock_timeout_text()).execute(connection).await.map(drop)
    }
}
