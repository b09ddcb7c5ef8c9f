//! A database that is there for a check alone.

use std::time::Duration;

use alfred_ops_core::{Id, JobContext, PostgresOptions, Result};
use sqlx::AssertSqlSafe;

use crate::postgres::Session;

/// What every such database is called, before its number.
const PREFIX: &str = "alfred_ops_scratch_";
/// A statement of a migration on empty tables takes no longer.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A database that is there for a check alone.
pub(super) struct Scratch {
    admin: Session,
    name: String,
    server: PostgresOptions,
}

impl Scratch {
    /// Makes one at `server`, beside the database that it names. What checks that were broken off left behind goes before.
    pub(super) async fn create(server: &PostgresOptions, context: &JobContext) -> Result<Self> {
        let id = Id::new(context.now(), &*context.entropy).to_string().replace('-', "").to_lowercase();
        let name = format!("{PREFIX}{id}");
        // The name of the connection says that somebody uses the database, even before it is there.
        let admin = server.clone().with_application_name(&name);
        let admin = Session::open(&admin, "compatibility", TIMEOUT, TIMEOUT, &[]).await?;
        let mut scratch = Self { admin, name, server: server.clone() };
        scratch.drop_abandoned().await?;
        scratch.execute(&format!("CREATE DATABASE {}", scratch.name), "make scratch database").await?;
        Ok(scratch)
    }

    /// Where it is.
    pub(super) fn options(&self) -> PostgresOptions {
        self.server.clone().with_database(&self.name)
    }

    pub(super) async fn open(&self) -> Result<Session> {
        Session::open(&self.options(), "compatibility", TIMEOUT, TIMEOUT, &[]).await
    }

    /// Removes it.
    pub(super) async fn remove(mut self) -> Result<()> {
        self.execute(
            &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
            "remove scratch database",
        )
        .await
    }

    async fn drop_abandoned(&mut self) -> Result<()> {
        let abandoned: Vec<String> = sqlx::query_scalar(
            "SELECT datname::text FROM pg_database WHERE starts_with(datname::text, $1) AND NOT EXISTS \
             (SELECT FROM pg_stat_activity a WHERE a.application_name = pg_database.datname)",
        )
        .bind(PREFIX)
        .fetch_all(&mut self.admin.connection)
        .await
        .map_err(|source| self.admin.failed("look for scratch databases", source))?;
        for name in abandoned {
            let is_ours =
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if is_ours {
                self.execute(&format!("DROP DATABASE IF EXISTS {name}"), "remove scratch database").await?;
            }
        }
        Ok(())
    }

    async fn execute(&mut self, sql: &str, operation: &'static str) -> Result<()> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.admin.connection).await;
        done.map(drop).map_err(|source| {
            self.admin.failed(operation, source).with_remedy(
                "name a server and a role that may CREATE DATABASE: one for tests, not that of the service",
            )
        })
    }
}
