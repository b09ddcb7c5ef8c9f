//! A process that works as a service would, to be killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{
    BackupRecord, BackupRequest, PostgresBackend, Repository, RestoreRequest, RetentionPolicy,
    WalArchiveOptions, WalArchiver,
};
use alfred_ops_core::testing::JumpingClock;
use alfred_ops_core::{JobContext, PostgresOptions, Result, SystemClock};
use chrono::TimeDelta;
use clap::{Args, Subcommand};

use super::leases;
use super::surroundings::{breach, repository, system};

/// The archiver's slot.
pub(super) const SLOT: &str = "alfred_ops";

/// A process that works as a service would, to be killed.
#[derive(Debug, Clone, Args)]
pub(super) struct Host {
    /// The database.
    #[arg(long)]
    server: PostgresOptions,
    /// The repository's folder.
    #[arg(long, default_value = ".")]
    store: PathBuf,
    /// So far its clock is ahead.
    #[arg(long, default_value_t = 0)]
    hours_ahead: i64,
    #[command(subcommand)]
    task: Task,
}

/// What the process does.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(super) enum Task {
    /// Takes one backup.
    Backup {
        /// Everything is read.
        #[arg(long)]
        full: bool,
    },
    /// Archives until it is killed.
    Archive {
        /// Commits wait for it.
        #[arg(long)]
        synchronous: bool,
    },
    /// Keeps the newest backups only.
    Prune,
    /// Brings the newest backup back.
    Restore {
        /// Where.
        #[arg(long)]
        into: PathBuf,
    },
    /// Is one of several replicas that run a job under a lease.
    Replica,
}

impl Host {
    pub(super) fn new(server: PostgresOptions, store: &Path, task: Task) -> Self {
        Self { server, store: store.to_owned(), hours_ahead: 0, task }
    }

    /// The same host with a clock that is ahead.
    pub(super) const fn ahead(mut self, hours: i64) -> Self {
        self.hours_ahead = hours;
        self
    }

    /// A context on the host's clock.
    pub(super) fn context(&self) -> JobContext {
        let clock = JumpingClock::new(SystemClock::shared());
        clock.jump(TimeDelta::hours(self.hours_ahead));
        JobContext::system().with_clock(Arc::new(clock))
    }

    /// Starts it as a process of this program.
    pub(super) fn spawn(&self) -> Result<Child> {
        let program = std::env::current_exe().map_err(system("find this program"))?;
        let mut command = Command::new(program);
        command.arg("host").arg("--server").arg(self.server.to_url().expose());
        command.arg("--store").arg(&self.store).arg(format!("--hours-ahead={}", self.hours_ahead));
        match &self.task {
            Task::Backup { full } => command.arg("backup").args(full.then_some("--full")),
            Task::Archive { synchronous } => {
                command.arg("archive").args(synchronous.then_some("--synchronous"))
            }
            Task::Prune => command.arg("prune"),
            Task::Restore { into } => command.arg("restore").arg("--into").arg(into),
            Task::Replica => command.arg("replica").stdout(Stdio::piped()).stderr(Stdio::null()),
        };
        let input = if self.task == Task::Replica { Stdio::piped() } else { Stdio::null() };
        command.stdin(input).spawn().map_err(system("start a host"))
    }

    /// Does the work in this process.
    pub(super) async fn be(&self) -> Result<()> {
        if self.task == Task::Replica {
            return leases::replica(&self.server).await;
        }
        let context = self.context();
        let repository = repository(&self.store, &context).await?;
        let backend = PostgresBackend::new(self.server.clone());
        match &self.task {
            Task::Backup { full } => {
                let request = if *full { BackupRequest::full() } else { BackupRequest::incremental() };
                repository.run_backup(&backend, request, &context).await?;
            }
            Task::Archive { synchronous } => {
                let options = WalArchiveOptions::new(SLOT)?.with_seal_after(Duration::from_millis(20));
                let options = if *synchronous { options.synchronous() } else { options };
                WalArchiver::new(self.server.clone(), repository, options).run(&context).await?;
            }
            Task::Prune => {
                repository.prune(&newest_only(), &context).await?;
            }
            Task::Restore { into } => {
                let record = newest(&repository).await?;
                repository.run_restore(&record, &backend, &RestoreRequest::new(into), &context).await?;
            }
            Task::Replica => {}
        }
        Ok(())
    }
}

/// The two newest backups are kept.
pub(super) fn newest_only() -> RetentionPolicy {
    RetentionPolicy::default().with_copies_min(2).with_calendar(0, 0, 0).with_window(Duration::ZERO)
}

/// The newest backup.
pub(super) async fn newest(repository: &Repository) -> Result<BackupRecord> {
    repository.backups().await?.pop().ok_or_else(|| breach("there is no backup"))
}
