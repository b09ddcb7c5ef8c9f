//! The way down.

use alfred_ops_core::{Error, ErrorKind, JobContext, Result};
use sqlx::{AssertSqlSafe, Executor as _};

use super::begun::{Begun, NOTICE_SETTINGS};
use super::change::ChangeKind;
use super::down::{Down, failed};
use super::going_back::GoingBack;
use super::hold::{LOOKING, STATEMENT_LIMIT};
use super::performance::pause;
use super::plan::{DownState, listed};
use super::state::{DownRun, Stage};
use crate::postgres::Session;

/// Why the way down was not gone.
enum Trouble {
    /// It failed.
    OfDown(Error),
    /// Nothing is known any more: the book or the session that looks is gone.
    Lost(Error),
}

impl GoingBack<'_> {
    /// Runs the way down, again and again while what keeps it may pass. `is_equal` says that nothing that is compared differs.
    ///
    /// # Errors
    /// The book's, and those of the session that looks: it can be gone on with later.
    pub(super) async fn run_down(&mut self, is_equal: bool, context: &JobContext) -> Result<DownState> {
        let (mut retries, mut host_is_done) = (0, false);
        loop {
            let tried = if host_is_done { Ok(()) } else { self.run_host(is_equal, context).await };
            host_is_done |= tried.is_ok();
            let tried = match tried {
                Ok(()) => self.undo_migrations(context).await.map_err(Trouble::OfDown),
                Err(trouble) => Err(trouble),
            };
            match tried {
                Ok(()) => return Ok(DownState::Done),
                Err(Trouble::Lost(error)) => return Err(error),
                Err(Trouble::OfDown(error)) if passes(&error) && retries < self.guard.retries_max => {
                    retries += 1;
                    tracing::warn!(retries, error = %error.full(), "the way down is tried again");
                    pause(context).await;
                }
                Err(Trouble::OfDown(error)) => return Ok(DownState::Failed(error.full())),
            }
        }
    }

    async fn undo_migrations(&self, context: &JobContext) -> Result<()> {
        let ChangeKind::Migrations(runner) = &self.change.kind else { return Ok(()) };
        let there = runner.leftovers(&self.state.pending, context).await?.recorded;
        // Those give way by themselves.
        runner.undo(&there, context).await.map(drop)
    }

    async fn run_host(&mut self, is_equal: bool, context: &JobContext) -> Result<(), Trouble> {
        let guard = self.guard;
        match &guard.down {
            Down::None => Ok(()),
            Down::Work(work) => work().await.map_err(Trouble::OfDown),
            Down::Sql(text) if self.has_run(context).await? => {
                tracing::info!(bytes = text.len(), "the way down had committed");
                Ok(())
            }
            Down::Sql(text) => self.run_in_transaction(text, is_equal, context).await,
        }
    }

    /// Whether a host that died has run the way down to its end.
    async fn has_run(&mut self, context: &JobContext) -> Result<bool, Trouble> {
        let Stage::GoingBack { down_run: Some(run), .. } = &self.state.stage else { return Ok(false) };
        let DownRun { transaction: Begun { pid, backend_start, xid }, is_whole } = run;
        let committed = self.hold.has_committed(xid, Some((*pid, backend_start)), context).await;
        match (committed.map_err(Trouble::Lost)?, is_whole) {
            (true, false) => Err(Trouble::OfDown(ended_itself())),
            (committed, _) => Ok(committed),
        }
    }

    async fn run_in_transaction(
        &mut self,
        text: &str,
        is_equal: bool,
        context: &JobContext,
    ) -> Result<(), Trouble> {
        let (server, lock_timeout) = (&self.guard.server, self.guard.lock_timeout);
        let opened = Session::open(server, "guard", STATEMENT_LIMIT, lock_timeout, &NOTICE_SETTINGS).await;
        let mut session = opened.map_err(Trouble::OfDown)?;
        let transaction = Begun::begin(&mut session.connection).await.map_err(Trouble::OfDown)?;
        self.note_run(&transaction, false).await?;
        let ran = match self.run_and_compare(text, is_equal, &transaction, &mut session).await {
            Ok(()) => {
                self.note_run(&transaction, true).await?;
                session.connection.execute("COMMIT").await.map(drop).map_err(failed)
            }
            Err(error) => Err(error),
        };
        // Rolls back what was not committed.
        drop(session);
        match (self.has_run(context).await?, ran) {
            (true, _) => Ok(()),
            (false, Err(error)) => Err(Trouble::OfDown(error)),
            (false, Ok(())) => {
                let message = "the server rolled it back instead of committing it";
                Err(Trouble::OfDown(Error::new(ErrorKind::InvalidInput, "run the way down", message)))
            }
        }
    }

    /// Where nothing that is compared differs, the way down must not make it so: it would undo what was never done.
    async fn run_and_compare(
        &self,
        text: &str,
        is_equal: bool,
        transaction: &Begun,
        session: &mut Session,
    ) -> Result<()> {
        session.connection.execute(AssertSqlSafe(text)).await.map_err(failed)?;
        if !transaction.is_current(&mut session.connection).await.map_err(failed)? {
            return Err(ended_itself());
        }
        if !is_equal {
            return Ok(());
        }
        let looking = LOOKING.map(|(name, value)| format!("SET LOCAL {name} = {value}")).join("; ");
        session.connection.execute(AssertSqlSafe(looking)).await.map_err(failed)?;
        let (difference, tables) = self.state.differs(session, true).await?;
        let wrong: Vec<&str> = difference.objects.iter().chain(&tables).map(String::as_str).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        let message = format!("rolled back, since it undoes what was not done: {}", listed(&wrong));
        Err(Error::new(ErrorKind::InvalidInput, "run the way down", message))
    }

    async fn note_run(&mut self, transaction: &Begun, is_whole: bool) -> Result<(), Trouble> {
        if let Stage::GoingBack { down_run, .. } = &mut self.state.stage {
            *down_run = Some(DownRun { transaction: transaction.clone(), is_whole });
        }
        self.book.write(self.state).await.map_err(Trouble::Lost)
    }
}

fn ended_itself() -> Error {
    Error::new(ErrorKind::InvalidInput, "run the way down", "it ended the transaction that it ran in")
}

/// Whether the same may succeed later. Migrations say `Timeout` when they got no answer.
fn passes(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Timeout => true,
        // Migrations have given way often enough.
        ErrorKind::Unavailable => error.operation() != "migrate" && error.operation() != "take turn",
        _ => false,
    }
}
