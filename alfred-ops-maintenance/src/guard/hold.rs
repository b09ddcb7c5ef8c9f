//! One guard at a time in a database.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, JobContext, PostgresOptions, Result};

use crate::postgres::{SEES_ALL, Session};

/// "alfr", and the second of ours; the first is that of migrations. Advisory locks belong to one database.
const CLASS: i32 = 0x616c_6672;
const NUMBER: i32 = 2;
/// The server notices within moments that a dead host's connection is gone.
const WAIT_MAX: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);
/// Reads of whole tables and rows that are copied take their time.
pub(super) const STATEMENT_LIMIT: Duration = Duration::from_secs(24 * 3600);
pub(super) const LOCK_LIMIT: Duration = Duration::from_secs(10);
/// How names are written, and rows seen, by whoever looks. To compile the look at the catalogue takes seconds, to run it moments.
pub(super) const LOOKING: [(&str, &str); 3] = [("search_path", "pg_catalog"), SEES_ALL, ("jit", "off")];

/// The session that looks at the database, and holds the lock of guards for as long as it lives.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) session: Session,
}

impl Hold {
    pub(super) async fn take(server: &PostgresOptions, context: &JobContext) -> Result<Self> {
        let mut session = Session::open(server, "guard", STATEMENT_LIMIT, LOCK_LIMIT, &LOOKING).await?;
        let began = context.clock.monotonic();
        loop {
            let taken = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, $2)")
                .bind(CLASS)
                .bind(NUMBER)
                .fetch_one(&mut session.connection)
                .await;
            if taken.map_err(|source| session.failed("take the lock of guards", source))? {
                return Ok(Self { session });
            }
            if context.clock.monotonic().saturating_sub(began) >= WAIT_MAX {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "guard",
                    "another guard is at work in this database",
                )
                .with_target(server.to_string())
                .with_remedy("wait until it has ended; its session is called `alfred-ops guard`"));
            }
            context.check("guard")?;
            context.clock.sleep(POLL).await;
        }
    }

    /// Whether a transaction has committed. One that is under way is ended with its session, if it does not end by itself.
    pub(super) async fn has_committed(
        &mut self,
        xid: &str,
        backend: Option<(i32, &str)>,
        context: &JobContext,
    ) -> Result<bool> {
        let began = context.clock.monotonic();
        loop {
            let status: std::result::Result<Option<String>, _> =
                sqlx::query_scalar("SELECT pg_xact_status($1::text::xid8)")
                    .bind(xid)
                    .fetch_one(&mut self.session.connection)
                    .await;
            let status = status.map_err(|source| self.session.failed("look at a transaction", source))?;
            if status.as_deref() != Some("in progress") {
                return Ok(status.as_deref() == Some("committed"));
            }
            if let Some((pid, start)) = backend {
                self.end(pid, start).await?;
            }
            if context.clock.monotonic().saturating_sub(began) >= WAIT_MAX * 12 {
                let message = format!("transaction {xid} does not end");
                return Err(Error::new(ErrorKind::Unavailable, "guard", message)
                    .with_remedy("end its session, and call Guard::resume"));
            }
            context.clock.sleep(POLL).await;
        }
    }

    /// Ends the session of a change, if it is still there.
    pub(super) async fn end(&mut self, pid: i32, backend_start: &str) -> Result<()> {
        let end = sqlx::query(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2",
        )
        .bind(pid)
        .bind(backend_start)
        .execute(&mut self.session.connection)
        .await;
        end.map(drop).map_err(|source| self.session.failed("end the session of a change", source))
    }
}
