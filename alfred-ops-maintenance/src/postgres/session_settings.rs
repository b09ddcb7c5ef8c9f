//! What a session is to run with, and whether it does.
//!
//! Settings are given with the login, before anything runs. Poolers may drop them without a word, and then nothing limits
//! what waits for a lock, a look may write, and names mean what a search path says. So the server is asked for them.

use std::time::Duration;

use alfred_ops_core::{ClockExt as _, SystemClock};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Error, PgConnection, Row as _};

use super::code_of;

/// What to do about a pooler that keeps no session.
pub(crate) const NO_SESSION_REMEDY: &str =
    "connect to the server itself or to the pooler's session port, not through a pooler in transaction mode";

/// What row-level security hides from a session would seem not to be there: with this the server refuses such a query.
pub(crate) const SEES_ALL: (&str, &str) = ("row_security", "off");

/// A second connection has to get through a pooler within this time, or nobody knows what kind of pooler it is.
const SECOND_MAX: Duration = Duration::from_secs(10);
/// A pooler that gives each transaction any backend gives the same one by chance: one that was just used, mostly.
const ROUNDS: usize = 3;

/// Settings that a session runs with from its first statement to its last.
#[derive(Debug)]
pub(crate) struct SessionSettings {
    wanted: Vec<(String, String)>,
}

/// Why there is no such session.
#[derive(Debug)]
pub(crate) enum Unsettled {
    /// The server or the way to it.
    Failed(Error),
    /// A pooler dropped the settings, and its next transaction may run in another session of the server.
    Pooled,
    /// A pooler dropped the settings, and it let no second connection in that would have told whether it keeps sessions.
    Crowded,
}

impl From<Error> for Unsettled {
    fn from(source: Error) -> Self {
        Self::Failed(source)
    }
}

impl SessionSettings {
    /// These settings, whose limit of waiting for locks is among them. Zero would mean no limit.
    pub(crate) fn with_lock_timeout(lock: Duration) -> Self {
        Self { wanted: Vec::new() }.and("lock_timeout", lock.as_millis().max(1).to_string())
    }

    /// One more.
    pub(crate) fn and(mut self, name: &str, value: impl Into<String>) -> Self {
        self.wanted.push((name.to_owned(), value.into()));
        self
    }

    /// A connection to one session of the server that runs with these settings.
    pub(crate) async fn connect(&self, options: PgConnectOptions) -> Result<PgConnection, Unsettled> {
        let wanted = self.wanted.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let with = options.clone().options(wanted);
        let connected = PgConnection::connect_with(&with).await;
        let mut connection = match connected {
            // A pooler that knows of no such settings: it may keep sessions all the same.
            Err(source) if code_of(&source).as_deref() == Some("08P01") => {
                PgConnection::connect_with(&options).await?
            }
            connected => connected?,
        };
        if self.are_in_force(&mut connection).await? {
            return Ok(connection);
        }
        let probe = keeps_session(&mut connection, &options);
        match SystemClock::new().timeout(SECOND_MAX, "connect", probe).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Err(Unsettled::Pooled),
            Ok(Err(_)) | Err(_) => return Err(Unsettled::Crowded),
        }
        let set = self.of_each(|name, value| format!("pg_catalog.set_config({name}, {value}, false)"));
        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut connection).await?;
        if self.are_in_force(&mut connection).await? { Ok(connection) } else { Err(Unsettled::Pooled) }
    }

    /// Whether the session that answers runs with them. What is set here to compare ends with the statement.
    async fn are_in_force(&self, connection: &mut PgConnection) -> Result<bool, Error> {
        let compare = self.of_each(|name, value| {
            format!("pg_catalog.current_setting({name}), pg_catalog.set_config({name}, {value}, true)")
        });
        // Without a prepared statement, which a pooler may have lost before it is used.
        let row = sqlx::raw_sql(AssertSqlSafe(compare)).fetch_one(connection).await?;
        for place in 0..self.wanted.len() {
            let (is, wanted): (String, String) = (row.try_get(2 * place)?, row.try_get(2 * place + 1)?);
            if is != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn of_each(&self, column: impl Fn(String, String) -> String) -> String {
        let constant = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let columns = self.wanted.iter().map(|(name, value)| column(constant(name), constant(value)));
        format!("SELECT {}", columns.collect::<Vec<_>>().join(", "))
    }
}

/// Whether a connection stays in one session of the server while another comes, works and goes.
async fn keeps_session(connection: &mut PgConnection, options: &PgConnectOptions) -> Result<bool, Error> {
    let mut other = PgConnection::connect_with(options).await?;
    for _ in 0..ROUNDS {
        let ours = backend(connection).await?;
        sqlx::raw_sql("BEGIN").execute(&mut other).await?;
        // Where the other has ours, no more may be asked: there may be no second one.
        if backend(&mut other).await? == ours || backend(connection).await? != ours {
            return Ok(false);
        }
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await?;
        if backend(connection).await? != ours {
            return Ok(false);
        }
    }
    // The pooler has it back either way.
    drop(other.close().await);
    Ok(true)
}

async fn backend(connection: &mut PgConnection) -> Result<i32, Error> {
    sqlx::raw_sql("SELECT pg_catalog.pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}
