//! A connection that works and one that watches it.

use std::time::Duration;

use alfred_ops_core::{ProgressUnit, Result};
use sqlx::{AssertSqlSafe, Row as _};

use super::{Session, code_of};
use crate::Turn;

/// How often progress is read, and whether the run may go on asked, within one statement.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// A connection that works, and one that shows how far it is and ends its statement where the run has to stop.
#[derive(Debug)]
pub(crate) struct WatchedWorker {
    pub(crate) worker: Session,
    pub(crate) watcher: Session,
    pub(crate) pid: i32,
    progress: &'static str,
}

/// The end of one statement.
#[derive(Debug)]
pub(crate) enum StatementEnd {
    /// It is done.
    Done,
    /// The run was to stop, and the statement was ended for that.
    Stopped,
    /// The server refused it or somebody else ended it.
    Failed(sqlx::Error),
}

impl WatchedWorker {
    /// `progress` asks for the blocks `done` and `total` of the backend `$1`. No row means that it works on nothing yet.
    ///
    /// # Errors
    /// The worker's connection broke.
    pub(crate) async fn new(mut worker: Session, watcher: Session, progress: &'static str) -> Result<Self> {
        let pid = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut worker.connection).await;
        let pid = pid.map_err(|source| worker.failed("begin", source))?;
        Ok(Self { worker, watcher, pid, progress })
    }

    /// Runs a statement to its end, `about` something.
    ///
    /// # Errors
    /// The watcher's connection broke. What becomes of the statement is not known then.
    pub(crate) async fn run(
        &mut self,
        statement: &str,
        about: String,
        turn: &mut Turn<'_>,
    ) -> Result<StatementEnd> {
        let (pid, progress) = (self.pid, self.progress);
        let Self { worker, watcher, .. } = self;
        turn.context().progress.begin(about, None, ProgressUnit::Items);
        let mut ended = false;
        let work = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut worker.connection);
        tokio::pin!(work);
        let done = loop {
            tokio::select! {
                biased;
                done = &mut work => break done,
                () = turn.context().clock.sleep(WATCH_EVERY) => {}
            }
            show(watcher, progress, pid, turn).await?;
            if !ended && !turn.may_go_on().await {
                ended = true;
                let cancel = sqlx::query("SELECT pg_cancel_backend($1)").bind(pid);
                let asked = cancel.execute(&mut watcher.connection).await;
                asked.map_err(|source| watcher.failed("end statement", source))?;
            }
        };
        Ok(match done {
            Ok(_) => StatementEnd::Done,
            Err(source) if ended && code_of(&source).as_deref() == Some("57014") => StatementEnd::Stopped,
            Err(source) => StatementEnd::Failed(source),
        })
    }
}

async fn show(watcher: &mut Session, query: &'static str, pid: i32, turn: &Turn<'_>) -> Result<()> {
    let row = sqlx::query(query).bind(pid).fetch_optional(&mut watcher.connection).await;
    let blocks = row.and_then(|row| {
        let Some(row) = row else { return Ok(None) };
        // Of a backend that this role may not see there is a row without numbers.
        let read =
            |column| row.try_get::<Option<i64>, _>(column).map(|blocks| blocks.unwrap_or(0).unsigned_abs());
        Ok(Some((read("done")?, read("total")?)))
    });
    let blocks = blocks.map_err(|source| watcher.failed("watch statement", source))?;
    if let Some((done, total)) = blocks {
        let progress = &turn.context().progress;
        progress.set_total(total);
        progress.add(done.saturating_sub(progress.state().done));
    }
    Ok(())
}
