//! The platform's table of tasks as a queue.

use std::time::Duration;

use alfred_ops_core::{ClockExt as _, Error, ErrorKind, PostgresOptions, Result, SystemClock};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Row as _};
use tokio::sync::Mutex;

use super::{SignalSource, Signals};
use crate::Reading;

/// Tasks beyond this are not counted one by one: the queue is long, that is all that matters.
const COUNTED_MAX: i64 = 100_000;
/// What one look may take.
const LOOK_MAX: Duration = Duration::from_secs(5);
const STATEMENT_TIMEOUT: &str = "4s";

/// Counts what waits and what is in work, each up to a limit, over the indexes if there are any; and what was ever inserted, as
/// the server's statistics say.
const LOOK: &str = "SELECT \
    (SELECT count(*) FROM (SELECT 1 FROM tasks WHERE status = 'pending' LIMIT $1) AS waiting), \
    (SELECT count(*) FROM (SELECT 1 FROM tasks WHERE status = 'processing' LIMIT $1) AS working), \
    (SELECT n_tup_ins FROM pg_stat_user_tables WHERE relid = 'tasks'::regclass)";

/// The platform's table `tasks` as a queue: pending tasks wait, those in processing are in work, inserted ones have come.
///
/// It keeps one connection, and makes a new one after a failure. The role needs SELECT on the table. Indexes on `status` keep a
/// look cheap; counts end at 100,000. Inserted tasks are those of the server's statistics, which follow within about a second
/// and start over when they are reset.
#[derive(Debug)]
pub struct PostgresTasks {
    server: PostgresOptions,
    connection: Mutex<Option<PgConnection>>,
}

impl PostgresTasks {
    /// The table `tasks` of this server's database. Nothing happens before a look.
    #[must_use]
    pub fn new(server: PostgresOptions) -> Self {
        Self { server: server.with_application_name("alfred-ops scaling"), connection: Mutex::new(None) }
    }

    async fn look(&self, now: DateTime<Utc>) -> Result<Signals> {
        // Taken out for the time of the look: one that is dropped halfway leaves no connection behind that still answers.
        let mut kept = self.connection.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let row = sqlx::query(LOOK)
            .bind(COUNTED_MAX)
            .fetch_one(&mut connection)
            .await
            .map_err(|source| self.failed("count tasks", source))?;
        let read = || -> std::result::Result<Signals, sqlx::Error> {
            let reading = |count: i64| Some(Reading { value: whole(count), at: now });
            let inserted: Option<i64> = row.try_get(2)?;
            Ok(Signals {
                queued: reading(row.try_get(0)?),
                in_flight: reading(row.try_get(1)?),
                arrivals: inserted.and_then(reading),
                ..Signals::default()
            })
        };
        let signals = read().map_err(|source| self.failed("count tasks", source))?;
        *kept = Some(connection);
        Ok(signals)
    }

    async fn connect(&self) -> Result<PgConnection> {
        // Not as a source: the driver's error may quote the URL.
        let refused = |_| Error::new(ErrorKind::InvalidInput, "connect", "the driver refuses the options");
        let options: PgConnectOptions = self.server.to_url().expose().parse().map_err(refused)?;
        let options = options.options([("statement_timeout", STATEMENT_TIMEOUT)]).disable_statement_logging();
        PgConnection::connect_with(&options).await.map_err(|source| self.failed("connect", source))
    }

    fn failed(&self, operation: &'static str, source: sqlx::Error) -> Error {
        let code = source.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        let problem = |kind, message: &str| Error::new(kind, operation, message);
        let error = match code.as_deref() {
            Some("42P01") => problem(ErrorKind::NotFound, "there is no table tasks")
                .with_remedy("name the platform's database, and a role whose search_path has its schema"),
            Some("42501") => problem(ErrorKind::PermissionDenied, "the role may not read the table tasks")
                .with_remedy("grant SELECT on it to the role"),
            Some("28P01" | "28000") => problem(ErrorKind::PermissionDenied, "the login was refused"),
            Some("57014") => problem(ErrorKind::Unavailable, "the table is too busy to be counted")
                .with_remedy("create an index on tasks (status)"),
            Some(code) => problem(ErrorKind::Internal, &format!("SQLSTATE {code}")),
            None => problem(ErrorKind::Unavailable, "the server cannot be reached"),
        };
        error.with_source(source)
    }
}

#[async_trait]
impl SignalSource for PostgresTasks {
    async fn read(&self, now: DateTime<Utc>) -> Result<Signals> {
        SystemClock::shared().timeout(LOOK_MAX, "count tasks", self.look(now)).await.flatten()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of tasks have far fewer than 53 bits")]
const fn whole(count: i64) -> f64 {
    count as f64
}
