//! Runs a change and its checks.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use alfred_ops_core::{EntropyExt as _, Error, JobContext, Result};
use futures::FutureExt as _;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::begun::{Begun, NOTICE_SETTINGS};
use super::change::{Change, ChangeKind};
use super::guard::Guard;
use super::hold::{Hold, LOCK_LIMIT, STATEMENT_LIMIT};
use super::state::{GuardState, Stage, StateBook};
use crate::postgres::{Session, gave_way};

const RETRY_PAUSE_MIN: Duration = Duration::from_millis(250);
const RETRY_SPREAD_MILLIS: u64 = 1000;

/// How a change went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ran {
    Kept,
    Failed {
        failure: String,
        /// Whether anything of it can have become visible.
        committed: bool,
    },
}

/// One attempt within a transaction.
enum Attempt {
    Ended(Ran),
    /// Somebody held a lock, and it was rolled back.
    GaveWay(String),
}

impl Guard {
    /// Runs the change, its checks and the watch.
    pub(super) async fn perform(
        &self,
        change: &Change,
        hold: &mut Hold,
        state: &mut GuardState,
        book: &mut StateBook,
        context: &JobContext,
    ) -> Result<Ran> {
        let ran = if change.in_transaction() {
            self.within_transaction(change, hold, state, book, context).await?
        } else {
            book.write(state).await?;
            Box::pin(self.in_the_open(change, context)).await
        };
        let (Ran::Kept, Some(watch)) = (&ran, &self.watch) else { return Ok(ran) };
        state.stage = Stage::Open;
        book.write(state).await?;
        Ok(match survive(watch.wrong(context)).await.unwrap_or_else(Some) {
            None => Ran::Kept,
            Some(failure) => Ran::Failed { failure, committed: true },
        })
    }

    /// A change that commits as it pleases.
    async fn in_the_open(&self, change: &Change, context: &JobContext) -> Ran {
        let failed = |failure| Ran::Failed { failure, committed: true };
        let work = async {
            match &change.kind {
                ChangeKind::Migrations(runner) => runner.run(context).await.map(drop),
                ChangeKind::Work(work) => work().await,
                ChangeKind::Sql(_) | ChangeKind::Within(_) => Ok(()),
            }
        };
        match Box::pin(until_cancelled(context, survive(work))).await {
            None => return failed("the host was stopped in the middle of it".to_owned()),
            Some(Err(panic)) => return failed(panic),
            Some(Ok(Err(error))) => return failed(error.full()),
            Some(Ok(Ok(()))) => {}
        }
        let session = Session::open(&self.server, "guard", STATEMENT_LIMIT, LOCK_LIMIT, &[]).await;
        let mut session = match session {
            Ok(session) => session,
            Err(error) => return failed(format!("nothing could be checked: {}", error.full())),
        };
        match self.wrong(&mut session.connection).await {
            None => Ran::Kept,
            Some(wrong) => failed(wrong),
        }
    }

    async fn within_transaction(
        &self,
        change: &Change,
        hold: &mut Hold,
        state: &mut GuardState,
        book: &mut StateBook,
        context: &JobContext,
    ) -> Result<Ran> {
        let mut retries = 0;
        loop {
            match self.attempt(change, hold, state, book, context).await? {
                Attempt::Ended(ran) => return Ok(ran),
                Attempt::GaveWay(failure) if retries >= self.retries_max => {
                    return Ok(Ran::Failed { failure, committed: false });
                }
                Attempt::GaveWay(_) => {}
            }
            retries += 1;
            tracing::warn!(retries, "a change gave way to somebody who holds a lock");
            if until_cancelled(context, pause(context)).await.is_none() {
                let failure = "the host was stopped while others held a lock".to_owned();
                return Ok(Ran::Failed { failure, committed: false });
            }
        }
    }

    async fn attempt(
        &self,
        change: &Change,
        hold: &mut Hold,
        state: &mut GuardState,
        book: &mut StateBook,
        context: &JobContext,
    ) -> Result<Attempt> {
        let opened =
            Session::open(&self.server, "guard", STATEMENT_LIMIT, self.lock_timeout, &NOTICE_SETTINGS);
        let Session { mut connection, .. } = opened.await?;
        let begun = Begun::begin(&mut connection).await?;
        let Begun { pid, backend_start, xid } = &begun;
        state.stage =
            Stage::InTransaction { pid: *pid, backend_start: backend_start.clone(), xid: xid.clone() };
        book.write(state).await?;
        let work = survive(self.change_and_check(change, &mut connection, &begun));
        let outcome = match until_cancelled(context, work).await {
            None => Err(Failure::of("the host was stopped in the middle of it".to_owned())),
            Some(Err(panic)) => Err(Failure::of(panic)),
            Some(Ok(outcome)) => outcome,
        };
        let failure = match outcome {
            Ok(()) => {
                state.stage =
                    Stage::Committing { pid: *pid, backend_start: backend_start.clone(), xid: xid.clone() };
                book.write(state).await?;
                match connection.execute("COMMIT").await {
                    Ok(_) => {
                        drop(connection.close().await);
                        // A transaction that had failed inside answers a commit with a rollback.
                        if hold.has_committed(xid, None, context).await? {
                            return Ok(Attempt::Ended(Ran::Kept));
                        }
                        let failure = "the server rolled it back instead of committing it".to_owned();
                        return Ok(Attempt::Ended(Ran::Failed { failure, committed: false }));
                    }
                    Err(error) => Failure::from_sqlx(&error),
                }
            }
            Err(failure) => failure,
        };
        // Rolls back with the session, in whatever state a panic left it. That waits for nobody.
        drop(connection);
        let committed = hold.has_committed(xid, Some((*pid, backend_start)), context).await?;
        hold.end(*pid, backend_start).await?;
        if committed && matches!(state.stage, Stage::Committing { .. }) {
            // The answer was lost, and all had been checked.
            return Ok(Attempt::Ended(Ran::Kept));
        }
        if failure.gave_way && !committed {
            return Ok(Attempt::GaveWay(failure.text));
        }
        Ok(Attempt::Ended(Ran::Failed { failure: failure.text, committed }))
    }

    async fn change_and_check(
        &self,
        change: &Change,
        connection: &mut PgConnection,
        begun: &Begun,
    ) -> Result<(), Failure> {
        match &change.kind {
            ChangeKind::Sql(text) => {
                let done = connection.execute(AssertSqlSafe(text.as_str())).await;
                done.map_err(|error| Failure::from_sqlx(&error))?;
            }
            ChangeKind::Within(work) => {
                work(connection).await.map_err(|error| Failure::from_error(&error))?;
            }
            ChangeKind::Migrations(_) | ChangeKind::Work(_) => {}
        }
        if !begun.is_current(connection).await.map_err(|error| Failure::from_sqlx(&error))? {
            return Err(Failure::of("it ended the transaction that it ran in".to_owned()));
        }
        self.wrong(connection).await.map_or(Ok(()), |wrong| Err(Failure::of(wrong)))
    }

    /// The first check that does not hold.
    async fn wrong(&self, connection: &mut PgConnection) -> Option<String> {
        for check in &self.checks {
            let wrong = survive(check.wrong(connection)).await;
            if let Some(wrong) = wrong.unwrap_or_else(Some) {
                return Some(wrong);
            }
        }
        None
    }
}

/// Why an attempt failed.
struct Failure {
    text: String,
    gave_way: bool,
}

impl Failure {
    const fn of(text: String) -> Self {
        Self { text, gave_way: false }
    }

    fn from_sqlx(error: &sqlx::Error) -> Self {
        let text = error
            .as_database_error()
            .map_or_else(|| "the server gave no answer".to_owned(), |error| error.message().to_owned());
        Self { text, gave_way: gave_way(error) }
    }

    fn from_error(error: &Error) -> Self {
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<sqlx::Error>());
        let gave_way = source.is_some_and(|source| Self::from_sqlx(source).gave_way);
        Self { text: error.full(), gave_way }
    }
}

/// Waits a moment before another attempt, no two alike.
pub(super) async fn pause(context: &JobContext) {
    let pause = RETRY_PAUSE_MIN + Duration::from_millis(context.entropy.below(RETRY_SPREAD_MILLIS));
    context.clock.sleep(pause).await;
}

/// A panic as text.
async fn survive<T>(future: impl Future<Output = T> + Send) -> Result<T, String> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|panic| format!("it panicked: {}", words(&*panic)))
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it said nothing")
}

/// `None` if the host wanted to stop first.
async fn until_cancelled<T>(context: &JobContext, future: impl Future<Output = T> + Send) -> Option<T> {
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => None,
        output = future => Some(output),
    }
}
