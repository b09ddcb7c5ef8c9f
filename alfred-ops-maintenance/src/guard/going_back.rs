//! Goes back, step by step.

use std::path::PathBuf;
use std::time::Duration;

use alfred_ops_core::{ErrorKind, JobContext, PostgresOptions, Result, blocking};

use super::change::{Change, ChangeKind};
use super::copy_back::copy_back;
use super::fingerprint::{Fingerprint, raise_sequences};
use super::guard::Guard;
use super::hold::{Hold, LOCK_LIMIT, STATEMENT_LIMIT};
use super::plan::{AsideState, CopyState, DownState, ReturnFacts, ReturnStep, listed, plan_return};
use super::report::CopiedRows;
use super::state::{GuardState, Stage, StateBook};
use super::{GuardOutcome, WayBack};
use crate::postgres::Session;

/// Every step is taken once, and there are five.
const STEPS_MAX: usize = 8;
/// A day's log is replayed within this time.
const RECOVERY_MAX: Duration = Duration::from_secs(3600);
const RECOVERY_POLL: Duration = Duration::from_millis(100);
/// Settings without which recovery may refuse to start if they are smaller than on the first server.
const RECOVERY_SETTINGS: &str = "SELECT name, setting FROM pg_settings WHERE name IN ('max_connections', \
    'max_worker_processes', 'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction')";
/// A side server is small, sends nothing, starts nothing of its own, and is not written to by mistake.
const SIDE_SETTINGS: [(&str, &str); 9] = [
    ("archive_mode", "off"),
    ("autovacuum", "off"),
    ("default_transaction_read_only", "on"),
    ("hot_standby", "off"),
    ("primary_conninfo", ""),
    ("shared_buffers", "128MB"),
    ("shared_preload_libraries", ""),
    ("ssl", "off"),
    ("synchronous_standby_names", ""),
];

/// A way back under way.
pub(super) struct GoingBack<'a> {
    pub(super) guard: &'a Guard,
    pub(super) change: &'a Change,
    pub(super) hold: &'a mut Hold,
    pub(super) state: &'a mut GuardState,
    pub(super) book: &'a mut StateBook,
}

/// How the way back went.
#[derive(Debug)]
pub(super) struct Back {
    pub(super) outcome: GuardOutcome,
    pub(super) steps: Vec<String>,
    pub(super) copied: Vec<CopiedRows>,
    pub(super) notes: Vec<String>,
}

/// What is known of the side server and what comes of it, in this run.
struct Aside {
    state: AsideState,
    copy: CopyState,
    server: Option<PostgresOptions>,
    folder: PathBuf,
}

impl GoingBack<'_> {
    pub(super) async fn go(mut self, context: &JobContext) -> Result<Back> {
        let (mut steps, mut copied, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        let mut aside = self.aside();
        let mut raises = true;
        for _ in 0..STEPS_MAX {
            let (facts, behind, told) = self.look(&aside, raises, context).await?;
            let step = plan_return(&facts);
            tracing::info!(%step, "going back");
            steps.push(step.to_string());
            let outcome = match step {
                ReturnStep::RaiseSequences => {
                    if let Err(error) = raise_sequences(&mut self.hold.session, &behind).await {
                        raises = false;
                        notes.push(format!("sequences stay behind: {}", error.full()));
                    }
                    continue;
                }
                ReturnStep::RunDown => {
                    let down = match self.run_down(context).await {
                        Ok(()) => DownState::Done,
                        Err(error) => DownState::Failed(error.full()),
                    };
                    self.note(Some(down), None).await?;
                    continue;
                }
                ReturnStep::RestoreAside { .. } => {
                    aside.state = match self.restore_aside(&mut aside, context).await {
                        Ok(()) => AsideState::Up,
                        Err(error) => AsideState::Failed(error.full()),
                    };
                    continue;
                }
                ReturnStep::CopyBack => {
                    aside.copy = match self.copy(&aside).await {
                        Ok(rows) => {
                            copied = rows;
                            CopyState::Done
                        }
                        Err(error) => CopyState::Failed(error.full()),
                    };
                    continue;
                }
                ReturnStep::Rest => {
                    let was_copied = aside.copy == CopyState::Done;
                    GuardOutcome::BroughtBack(WayBack::by(facts.committed, &facts.down, was_copied))
                }
                ReturnStep::HandOver { why } => match aside.server.take() {
                    Some(server) => {
                        let folder = aside.folder.clone();
                        GuardOutcome::HandedOver { server: Box::new(server), folder, why }
                    }
                    None => GuardOutcome::Stranded { why },
                },
                ReturnStep::GiveUp { why } => GuardOutcome::Stranded { why },
            };
            notes.extend(told);
            if matches!(outcome, GuardOutcome::BroughtBack(_)) && aside.state == AsideState::Up {
                notes.extend(self.put_away(&aside, context).await);
            }
            return Ok(Back { outcome, steps, copied, notes });
        }
        let why = format!("the way back does not end: {}", steps.join("; "));
        Ok(Back { outcome: GuardOutcome::Stranded { why }, steps, copied, notes })
    }

    /// What is known before anything of the side server was done in this run.
    fn aside(&self) -> Aside {
        let copy = if self.guard.copies_back { CopyState::Ready } else { CopyState::NotAllowed };
        let none = |why: &str| AsideState::None(why.to_owned());
        let (state, folder) = match (&self.guard.side, &self.state.point) {
            (Some((folder, _)), Some(_)) => (AsideState::Ready, folder.join(&self.state.id)),
            (None, Some(_)) => (none("the host gave none"), PathBuf::new()),
            (_, None) => (none("no restore point was made"), PathBuf::new()),
        };
        Aside { state, copy, server: None, folder }
    }

    /// Looks at everything again: the facts, the sequences with their values, and what is told beside them.
    async fn look(
        &mut self,
        aside: &Aside,
        raises: bool,
        context: &JobContext,
    ) -> Result<(ReturnFacts, Vec<(String, i64)>, Vec<String>)> {
        let Stage::GoingBack { committed, down, .. } = &self.state.stage else {
            return Err(alfred_ops_core::Error::new(ErrorKind::Internal, "go back", "it has not begun"));
        };
        let (committed, down) = (*committed, down.clone());
        let now = Fingerprint::take(&mut self.hold.session).await?;
        let difference = self.state.schema.differs(&now);
        let (mut objects, mut tables, mut notes) = (difference.objects, Vec::new(), Vec::new());
        if committed {
            for version in self.applied(context).await? {
                objects.push(format!("migration {version} is applied"));
            }
            for rows in &self.state.rows {
                tables.extend(rows.differ(&mut self.hold.session).await?);
            }
        }
        if !difference.orders.is_empty() {
            notes.push(format!("the columns of {} stand in another order", difference.orders.join(", ")));
        }
        if !committed && !objects.is_empty() {
            let all: Vec<&str> = objects.iter().map(String::as_str).collect();
            notes.push(format!("somebody else changed the schema meanwhile: {}", listed(&all)));
        }
        let rows_compared = !self.state.rows.is_empty();
        if committed && !rows_compared {
            notes.push("no table is protected, so rows were not compared".to_owned());
        }
        let behind = if raises { difference.behind } else { Vec::new() };
        let facts = ReturnFacts {
            committed,
            objects,
            tables,
            rows_compared,
            sequences: behind.iter().map(|(name, _)| name.clone()).collect(),
            down,
            aside: aside.state.clone(),
            copy: aside.copy.clone(),
        };
        Ok((facts, behind, notes))
    }

    /// Migrations that were pending before, and are not any more.
    async fn applied(&self, context: &JobContext) -> Result<Vec<i64>> {
        let ChangeKind::Migrations(runner) = &self.change.kind else { return Ok(Vec::new()) };
        runner.begun_or_applied(&self.state.pending, context).await
    }

    async fn run_down(&mut self, context: &JobContext) -> Result<()> {
        if self.guard.down.is_there() {
            let mut session =
                Session::open(&self.guard.server, "guard", STATEMENT_LIMIT, LOCK_LIMIT, &[]).await?;
            self.guard.down.run(&mut session).await?;
        }
        if let ChangeKind::Migrations(runner) = &self.change.kind {
            let applied = runner.begun_or_applied(&self.state.pending, context).await?;
            runner.undo(&applied, context).await?;
        }
        Ok(())
    }

    async fn restore_aside(&mut self, aside: &mut Aside, context: &JobContext) -> Result<()> {
        let (Some((_, by)), Some(archive), Some(point)) =
            (&self.guard.side, self.guard.archive(), self.state.point.clone())
        else {
            return Ok(());
        };
        let is_restored = matches!(&self.state.stage, Stage::GoingBack { aside: Some(_), .. });
        if !is_restored {
            let target = point.target();
            match archive.restore(&self.guard.server, &target, &aside.folder, context).await {
                Ok(_) => {}
                // A crash came between the restore and its record: the folder is of this change alone.
                Err(error)
                    if error.kind() == ErrorKind::AlreadyExists
                        && aside.folder.join("global/pg_control").exists() => {}
                Err(error) => return Err(error),
            }
            self.note(None, Some(aside.folder.clone())).await?;
        }
        let read = sqlx::query_as(RECOVERY_SETTINGS).fetch_all(&mut self.hold.session.connection).await;
        let mut settings: Vec<(String, String)> =
            read.map_err(|source| self.hold.session.failed("look at settings", source))?;
        settings.extend(SIDE_SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let server = by.start(&aside.folder, &settings, context).await?;
        let server = server.with_database(self.guard.server.database.clone());
        recovered(&server, context).await?;
        aside.server = Some(server);
        Ok(())
    }

    async fn copy(&self, aside: &Aside) -> Result<Vec<CopiedRows>> {
        let Some(server) = &aside.server else { return Ok(Vec::new()) };
        let settings = [("search_path", "pg_catalog"), ("row_security", "off")];
        let open = |server| Session::open(server, "guard", STATEMENT_LIMIT, LOCK_LIMIT, &settings);
        let (mut side, mut live) = (open(server).await?, open(&self.guard.server).await?);
        copy_back(&mut side, &mut live, &self.guard.protected).await
    }

    /// Stops the side server and removes what it was made from; what cannot be done is told.
    async fn put_away(&self, aside: &Aside, context: &JobContext) -> Option<String> {
        let (_, by) = self.guard.side.as_ref()?;
        let folder = aside.folder.clone();
        let removed = match by.stop(&folder, context).await {
            Ok(()) => blocking(move || std::fs::remove_dir_all(folder)).await.map(drop),
            Err(error) => Err(error),
        };
        let error = removed.err()?;
        Some(format!("the side server in {} stays: {}", aside.folder.display(), error.full()))
    }

    /// Writes how far it has come.
    async fn note(&mut self, new_down: Option<DownState>, new_aside: Option<PathBuf>) -> Result<()> {
        if let Stage::GoingBack { down, aside, .. } = &mut self.state.stage {
            if let Some(new) = new_down {
                *down = new;
            }
            if new_aside.is_some() {
                *aside = new_aside;
            }
        }
        self.book.write(self.state).await
    }
}

/// Waits until a side server has replayed the log: some call a server started before it takes connections.
async fn recovered(server: &PostgresOptions, context: &JobContext) -> Result<()> {
    let began = context.clock.monotonic();
    loop {
        let error = match Session::open(server, "guard", STATEMENT_LIMIT, LOCK_LIMIT, &[]).await {
            Ok(mut session) => {
                let asked = sqlx::query_scalar("SELECT pg_is_in_recovery()");
                match asked.fetch_one(&mut session.connection).await {
                    Ok(false) => return Ok(()),
                    Ok(true) => None,
                    Err(source) => Some(session.failed("wait for recovery", source)),
                }
            }
            Err(error) => Some(error),
        };
        let is_late = context.clock.monotonic().saturating_sub(began) > RECOVERY_MAX;
        match error {
            Some(error) if is_late || error.kind() != ErrorKind::Unavailable => return Err(error),
            None if is_late => {
                let message = format!("recovery does not end within {RECOVERY_MAX:?}");
                return Err(alfred_ops_core::Error::new(
                    ErrorKind::Unavailable,
                    "wait for recovery",
                    message,
                ));
            }
            _ => context.clock.sleep(RECOVERY_POLL).await,
        }
    }
}
