//! The guard.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Id, JobContext, PostgresOptions, Result, StateStore};

use super::archive::Archive;
use super::change::{Change, ChangeKind};
use super::check::Check;
use super::cluster::system_id;
use super::down::Down;
use super::fingerprint::Fingerprint;
use super::hold::Hold;
use super::performance::Ran;
use super::plan::DownState;
use super::rows::Rows;
use super::state::{GuardState, Stage, StateBook};
use super::{GuardBuilder, GuardPlan, GuardReport, RestorePoint, SideServer, Watch, WayBack};
use crate::postgres::label;
use crate::{Gate, TableName};

/// Where a restore point goes.
#[derive(Debug)]
pub(super) enum PointInTime {
    Archive(Archive),
    Without,
}

/// Runs risky changes of a database so that each can be taken back.
///
/// Before a change it looks at the schema and at protected tables, makes a named restore point and waits until the log up to
/// there is durable in the backup repository. Then the change runs and is verified. If anything fails it goes back by the
/// cheapest way that is safe, looking at the database again after each step:
///
/// 1. the transaction, where the change runs in one: checks run inside, and nobody has seen anything;
/// 2. the way down: the down migrations, or what the host gave;
/// 3. a backup, restored aside to the restore point: rows of protected tables are copied back if the host allows that and the
///    schema is what it was, else the side server is handed to people.
///
/// A panic within the change counts as its failure. After a crash, or when the future was dropped, [`resume`](Self::resume)
/// says what was under way and finishes going back. Sequences that the change has set back are set to where they were, which
/// no transaction does. What is not protected is not compared, apart from the schema.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use alfred_ops_backup::{Repository, WalArchiver};
/// # use alfred_ops_core::{JobContext, PostgresOptions, Result, StateStore};
/// use alfred_ops_maintenance::{Change, Guard};
///
/// # async fn example(
/// #     server: PostgresOptions, state: Arc<dyn StateStore>, repository: Repository, archiver: Arc<WalArchiver>,
/// # ) -> Result<()> {
/// let guard = Guard::builder(server, state)
///     .archive(repository, archiver)
///     .restore_point("before-v42")
///     .protect("tasks".parse()?)
///     .verify_sql("no task lost its priority", "SELECT count(*) = 0 FROM tasks WHERE priority IS NULL")
///     .build()?;
/// let change = Change::sql("v42", "ALTER TABLE tasks ALTER priority TYPE smallint");
/// println!("{}", guard.plan(&change));
/// let report = guard.run(&change, &JobContext::system()).await?;
/// println!("{report}");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Guard {
    pub(super) server: PostgresOptions,
    pub(super) store: Arc<dyn StateStore>,
    pub(super) point_in_time: PointInTime,
    pub(super) label: String,
    /// With whether each is wanted exactly as it was.
    pub(super) protected: Vec<(TableName, bool)>,
    pub(super) checks: Vec<Check>,
    pub(super) down: Down,
    pub(super) side: Option<(PathBuf, Arc<dyn SideServer>)>,
    pub(super) copies_back: bool,
    pub(super) watch: Option<Watch>,
    pub(super) gates: Vec<Arc<dyn Gate>>,
    pub(super) lock_timeout: Duration,
    pub(super) retries_max: u32,
    pub(super) durable_within: Duration,
    pub(super) settling_within: Duration,
}

impl Guard {
    /// Sets a guard up for the database of `server`. What is under way is kept in `store`, which must not be that database.
    #[must_use]
    pub fn builder(server: PostgresOptions, store: Arc<dyn StateStore>) -> GuardBuilder {
        GuardBuilder::new(server, store)
    }

    /// What a run would do, and the ways back that there would be. Asks nobody.
    #[must_use]
    pub fn plan(&self, change: &Change) -> GuardPlan {
        GuardPlan::of(self, change)
    }

    /// Runs a change under guard. After `Ok` the report says whether it stands, or by which way the database was brought back
    /// and why; a change that fails is no error of the guard.
    ///
    /// A cancellation while the change runs counts as its failure; going back is not interrupted by it. Dropping the future
    /// leaves the rest to [`resume`](Self::resume).
    ///
    /// # Errors
    /// Before the change begins, and then nothing has happened: `Conflict` while an earlier change is not finished
    /// or a gate is closed, `Unavailable` if the restore point is not durable in time, `NotFound` without a backup,
    /// what the server refuses. While going back: the server's and the store's; [`resume`](Self::resume) goes on.
    #[tracing::instrument(skip_all, fields(server = %self.server, change = change.name()))]
    pub async fn run(&self, change: &Change, context: &JobContext) -> Result<GuardReport> {
        let began = context.clock.monotonic();
        self.check_gates(context).await?;
        let mut hold = Hold::take(&self.server, context).await?;
        let mut book = self.book();
        if let Some(earlier) = book.read().await? {
            let message = format!("{:?} was begun at {} and did not end", earlier.change, earlier.begun_at);
            return Err(Error::new(ErrorKind::Conflict, "guard", message)
                .with_target(self.server.to_string())
                .with_remedy(
                    "call Guard::resume with that change, or Guard::forget if it shall stand as it is",
                ));
        }
        let mut state = self.prepare(change, &mut hold, context).await?;
        let prepared = context.clock.monotonic();
        let ran = Box::pin(self.perform(change, &mut hold, &mut state, &mut book, context)).await?;
        let changed = context.clock.monotonic();
        let mut report = self.conclude(change, ran, &mut hold, state, &mut book, context).await?;
        report.prepared_in = prepared.saturating_sub(began);
        report.changed_in = changed.saturating_sub(prepared);
        Ok(report)
    }

    /// Finishes what a crash, a dropped future or an error has left, and what was [stranded](super::GuardOutcome::Stranded): a
    /// change in a transaction that was asked to commit is looked up, everything else is undone. `None` if nothing was under way.
    ///
    /// `change` is the one that was run, since its way down may be needed. May be repeated.
    ///
    /// # Errors
    /// `InvalidInput` if another change was under way; else as of [`run`](Self::run).
    #[tracing::instrument(skip_all, fields(server = %self.server, change = change.name()))]
    pub async fn resume(&self, change: &Change, context: &JobContext) -> Result<Option<GuardReport>> {
        let mut hold = Hold::take(&self.server, context).await?;
        let mut book = self.book();
        let Some(mut state) = book.read().await? else { return Ok(None) };
        check_name(&state, &change.name)?;
        if let Stage::GoingBack { down: down @ DownState::Failed(_), .. } = &mut state.stage {
            // What was in its way may be gone.
            *down = DownState::Ready;
        }
        tracing::warn!(stage = ?state.stage, "a change was cut off");
        let cut_off = || "the host stopped in the middle of it".to_owned();
        let ran = match &state.stage {
            Stage::InTransaction { pid, backend_start, xid } => {
                hold.end(*pid, backend_start).await?;
                // Statements that ended their transaction themselves may have committed it.
                let committed = hold.has_committed(xid, Some((*pid, backend_start)), context).await?;
                Ran::Failed { failure: cut_off(), committed }
            }
            Stage::Committing { pid, backend_start, xid } => {
                if hold.has_committed(xid, Some((*pid, backend_start)), context).await? {
                    match self.watch {
                        Some(_) => Ran::Failed { failure: cut_off(), committed: true },
                        None => Ran::Kept,
                    }
                } else {
                    Ran::Failed { failure: cut_off(), committed: false }
                }
            }
            Stage::Open => Ran::Failed { failure: cut_off(), committed: true },
            Stage::GoingBack { failure, committed, .. } => {
                Ran::Failed { failure: failure.clone(), committed: *committed }
            }
        };
        self.conclude(change, ran, &mut hold, state, &mut book, context).await.map(Some)
    }

    /// Lets a change stand as it is that was not brought back, such as after people have settled it by hand: nothing is under
    /// way any more. Whether there was anything to forget. May be repeated.
    ///
    /// # Errors
    /// `InvalidInput` if another change was under way, `Conflict` while it is not being undone or a guard is at work; else
    /// the server's and the store's.
    pub async fn forget(&self, change: &str, context: &JobContext) -> Result<bool> {
        let _hold = Hold::take(&self.server, context).await?;
        let mut book = self.book();
        let Some(state) = book.read().await? else { return Ok(false) };
        check_name(&state, change)?;
        if !matches!(state.stage, Stage::GoingBack { .. }) {
            let message = format!("{change:?} may still be at work, and nobody has tried to undo it");
            return Err(Error::new(ErrorKind::Conflict, "guard", message)
                .with_remedy("call Guard::resume with that change"));
        }
        tracing::warn!(change, "a change that was not brought back is forgotten");
        book.clear().await?;
        Ok(true)
    }

    /// The change that was begun in this database and has not ended, by name, if there is one.
    ///
    /// # Errors
    /// The store's.
    pub async fn under_way(&self) -> Result<Option<String>> {
        Ok(self.book().read().await?.map(|state| state.change))
    }

    pub(super) const fn archive(&self) -> Option<&Archive> {
        match &self.point_in_time {
            PointInTime::Archive(archive) => Some(archive),
            PointInTime::Without => None,
        }
    }

    fn book(&self) -> StateBook {
        let PostgresOptions { host, port, database, .. } = &self.server;
        StateBook::new(Arc::clone(&self.store), format!("guard/{}:{port}/{}", label(host), label(database)))
    }

    async fn check_gates(&self, context: &JobContext) -> Result<()> {
        let Some((gate, why)) =
            crate::chore::first_closed(&self.gates, &context.clock, crate::chore::GATE_LIMIT).await
        else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Conflict, "guard", format!("gate {gate:?} is closed: {why}"))
            .with_target(self.server.to_string()))
    }

    /// Looks at everything, and makes the restore point durable.
    async fn prepare(&self, change: &Change, hold: &mut Hold, context: &JobContext) -> Result<GuardState> {
        let pending = match &change.kind {
            ChangeKind::Migrations(runner) => runner.prepared().await?,
            _ => Vec::new(),
        };
        let schema = Fingerprint::take(&mut hold.session).await?;
        let mut rows = Vec::new();
        for (table, _) in &self.protected {
            rows.push(Rows::read(&mut hold.session, table).await?);
        }
        let id = Id::new(context.now(), &*context.entropy);
        let (mut point, mut notes, mut cluster) = (None, Vec::new(), None);
        if let Some(archive) = self.archive() {
            let own = system_id(&mut hold.session).await?;
            cluster = Some(archive.check(own.as_deref(), context).await?);
            let text = id.to_string();
            let digits = text.get(text.len().saturating_sub(8)..).unwrap_or(&text);
            let name = format!("{}-{digits}", self.label);
            let (made, note) = RestorePoint::make(&mut hold.session, name, context.now()).await?;
            archive.wait(made.needs, self.durable_within, context).await?;
            notes.extend(note);
            point = Some(made);
        }
        Ok(GuardState {
            id: id.to_string(),
            change: change.name.clone(),
            begun_at: context.now(),
            point,
            system_id: cluster,
            schema,
            rows,
            pending,
            notes,
            stage: Stage::Open,
        })
    }
}

fn check_name(state: &GuardState, change: &str) -> Result<()> {
    if state.change == change {
        return Ok(());
    }
    let message = format!("{:?} was under way, not {change:?}", state.change);
    Err(Error::new(ErrorKind::InvalidInput, "guard", message).with_remedy("name the change that was run"))
}

impl WayBack {
    /// How it was, by what was done.
    pub(super) const fn by(committed: bool, down: &DownState, copied: bool) -> Self {
        match (committed, copied, down) {
            (false, ..) => Self::Transaction,
            (true, true, _) => Self::CopiedBack,
            (true, false, DownState::Done) => Self::Down,
            (true, false, _) => Self::NothingLeft,
        }
    }
}
