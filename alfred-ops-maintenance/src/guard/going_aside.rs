//! The side server of a way back.

use std::path::PathBuf;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, JobContext, PostgresOptions, Result, blocking};

use super::cluster::system_id;
use super::copy_back::copy_back;
use super::going_back::GoingBack;
use super::hold::{LOCK_LIMIT, STATEMENT_LIMIT};
use super::plan::{AsideState, CopyState};
use super::report::CopiedRows;
use super::state::Stage;
use crate::postgres::{SEES_ALL, Session};

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

/// What is known of the side server and what comes of it, in this run.
pub(super) struct Aside {
    pub(super) state: AsideState,
    pub(super) copy: CopyState,
    pub(super) server: Option<PostgresOptions>,
    pub(super) folder: PathBuf,
}

impl GoingBack<'_> {
    /// What is known before anything of the side server was done in this run.
    pub(super) fn aside(&self) -> Aside {
        let copy = if self.guard.copies_back { CopyState::Ready } else { CopyState::NotAllowed };
        let none = |why: &str| AsideState::None(why.to_owned());
        let (state, folder) = match (&self.guard.side, &self.state.point) {
            (Some((folder, _)), Some(_)) => (AsideState::Ready, folder.join(&self.state.id)),
            (None, Some(_)) => (none("the host gave none"), PathBuf::new()),
            (_, None) => (none("no restore point was made"), PathBuf::new()),
        };
        Aside { state, copy, server: None, folder }
    }

    /// Restores a side server and starts it. A failure says what stays of it.
    pub(super) async fn bring_up(&mut self, aside: &mut Aside, context: &JobContext) -> AsideState {
        let Err(error) = self.restore_aside(aside, context).await else { return AsideState::Up };
        let stays = if aside.folder.exists() {
            format!("; {} stays, and a server may run on it", aside.folder.display())
        } else {
            String::new()
        };
        AsideState::Failed(format!("{}{stays}", error.full()))
    }

    async fn restore_aside(&mut self, aside: &mut Aside, context: &JobContext) -> Result<()> {
        let (Some((_, by)), Some(archive), Some(point)) =
            (&self.guard.side, self.guard.archive(), self.state.point.clone())
        else {
            return Ok(());
        };
        let is_restored = matches!(&self.state.stage, Stage::GoingBack { aside: Some(_), .. });
        if !is_restored {
            let (target, cluster) = (point.target(), self.state.system_id.as_deref());
            match archive.restore(&self.guard.server, cluster, &target, &aside.folder, context).await {
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
        let mut session = recovered(&server, context).await?;
        let (theirs, ours) = (system_id(&mut session).await?, system_id(&mut self.hold.session).await?);
        if let (Some(theirs), Some(ours)) = (theirs, ours)
            && theirs != ours
        {
            let message = format!("the side server is of cluster {theirs}, and the guarded one of {ours}");
            return Err(Error::new(ErrorKind::Corrupt, "restore a side server", message));
        }
        aside.server = Some(server);
        Ok(())
    }

    pub(super) async fn copy(&self, aside: &Aside) -> Result<Vec<CopiedRows>> {
        let Some(server) = &aside.server else { return Ok(Vec::new()) };
        let settings = [("search_path", "pg_catalog"), SEES_ALL];
        let open = |server| Session::open(server, "guard", STATEMENT_LIMIT, LOCK_LIMIT, &settings);
        let (mut side, mut live) = (open(server).await?, open(&self.guard.server).await?);
        copy_back(&mut side, &mut live, &self.guard.protected).await
    }

    /// Stops the side server and removes what it was made from; what cannot be done is told.
    pub(super) async fn put_away(&self, aside: &Aside, context: &JobContext) -> Option<String> {
        let (_, by) = self.guard.side.as_ref()?;
        let folder = aside.folder.clone();
        let removed = match by.stop(&folder, context).await {
            Ok(()) => blocking(move || std::fs::remove_dir_all(folder)).await.map(drop),
            Err(error) => Err(error),
        };
        let error = removed.err()?;
        Some(format!("the side server in {} stays: {}", aside.folder.display(), error.full()))
    }
}

/// Waits until a side server has replayed the log: some call a server started before it takes connections.
async fn recovered(server: &PostgresOptions, context: &JobContext) -> Result<Session> {
    let began = context.clock.monotonic();
    loop {
        let error = match Session::open(server, "guard", STATEMENT_LIMIT, LOCK_LIMIT, &[]).await {
            Ok(mut session) => {
                let asked = sqlx::query_scalar("SELECT pg_is_in_recovery()");
                match asked.fetch_one(&mut session.connection).await {
                    Ok(false) => return Ok(session),
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
                return Err(Error::new(ErrorKind::Unavailable, "wait for recovery", message));
            }
            _ => context.clock.sleep(RECOVERY_POLL).await,
        }
    }
}
