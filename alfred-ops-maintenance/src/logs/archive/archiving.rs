//! The chore.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, JobContext, Result, StateStore, blocking};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::super::care;
use super::super::failed_steps::FailedSteps;
use super::super::failure::kind_of;
use super::super::folder_lock::FolderLock;
use super::super::host::check_host;
use super::super::regular_file::remove;
use super::archived_logs::READ_FILE;
use super::archiving_plan::OldFile;
use super::{ArchivedLogs, LogArchivingFacts, LogArchivingPlan, LogArchivingPolicy, plan_log_archiving};
use crate::{Cadence, Caretaker, CaretakerBuilder, Chore, Turn};

const EVERY: Duration = Duration::from_hours(1);
/// So many pieces leave the archive in one run.
const EXPIRED_MAX: usize = 10_000;
/// After so many failures of the store in a row it is left alone until the next run.
const STORE_FAILURES_MAX: u32 = 3;
const OPERATION: &str = "archive logs";
const LOOK: &str = "look at old logs";

/// Moves closed log files of a folder into an archive once they are old, and removes from the archive what is too old.
///
/// A file goes when every line of it was read back from the store. Killed anywhere, a repeat ends it and nothing is lost;
/// each line is in the archive once. Both the host's own [`RotatingLog`](crate::RotatingLog) and what
/// [`LogCare`](crate::LogCare) closes are moved; both must keep files longer than
/// [`archive_after`](LogArchivingPolicy::archive_after), as they do by default. A piece leaves the archive by the later of its
/// last line and the closing of its file, so lines that tell a wrong time are not lost early.
///
/// Links are not followed. One run works in a folder at a time, by a lock on it that [`LogCare`](crate::LogCare) takes as well.
/// A file that cannot be archived stays and keeps no other from its turn; the run fails in the end and names it.
///
/// ```
/// use std::sync::Arc;
///
/// use alfred_ops_backup::MemoryBlobStore;
/// use alfred_ops_maintenance::{ArchivedLogs, LogArchiving, LogArchivingPolicy};
///
/// let archive = ArchivedLogs::new(Arc::new(MemoryBlobStore::default()));
/// let archiving = LogArchiving::new("host-1", "/var/log/agent", archive, LogArchivingPolicy::default())?;
/// # Ok::<(), alfred_ops_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LogArchiving {
    host: String,
    folder: PathBuf,
    suffix: String,
    archive: ArchivedLogs,
    policy: LogArchivingPolicy,
    name: String,
    target: String,
}

impl LogArchiving {
    /// Archives the closed files of logs in `folder` whose names end with `.log`.
    ///
    /// `host` is where the logs come from, and unique in the state store for each host and folder: visible ASCII without `/`.
    ///
    /// # Errors
    /// `InvalidInput` for a host that cannot be called so.
    pub fn new(
        host: impl Into<String>,
        folder: impl Into<PathBuf>,
        archive: ArchivedLogs,
        policy: LogArchivingPolicy,
    ) -> Result<Self> {
        let host = host.into();
        check_host(OPERATION, &host)?;
        Ok(Self {
            name: format!("log-archive-{host}"),
            // Care of the same files does not run at the same time.
            target: format!("logs:{host}"),
            host,
            folder: folder.into(),
            suffix: ".log".to_owned(),
            archive,
            policy,
        })
    }

    /// The same for logs whose names end with `suffix`.
    #[must_use]
    pub fn with_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = suffix.into();
        self
    }

    /// A caretaker that runs it every hour.
    #[must_use]
    pub fn caretaker(self, store: Arc<dyn StateStore>) -> CaretakerBuilder<Self> {
        Caretaker::builder(self, store).cadence(Cadence::every(EVERY))
    }

    async fn archive(&self, old: &OldFile, turn: &mut Turn<'_>) -> Result<()> {
        let file = &old.file;
        let path = file.path.display();
        let stored = match self.archive.store_file(&self.host, old, self.policy.level).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound && error.operation() == READ_FILE => {
                turn.note(format!("{path} vanished before its turn"));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let (gone, bytes) = (file.path.clone(), file.bytes);
        let removed = blocking(move || {
            let is_same = fs::symlink_metadata(&gone)?.len() == bytes;
            if is_same {
                remove(&gone)?;
            }
            Ok::<_, io::Error>(is_same)
        });
        match removed.await? {
            Ok(true) => turn.did(stored, Duration::ZERO),
            Ok(false) => turn.note(format!("{path} grew while it was archived; it stays")),
            Err(error) => return Err(self.failed(&error)),
        }
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::new(kind_of(error), LOOK, error.to_string())
            .with_target(self.folder.display().to_string())
            .with_remedy(match error.kind() {
                io::ErrorKind::NotFound => "check the path",
                _ => "the user must be able to read the files and to write to their folder",
            })
    }
}

#[async_trait]
impl Chore for LogArchiving {
    type Facts = LogArchivingFacts;
    type Plan = LogArchivingPlan;

    fn name(&self) -> &str {
        &self.name
    }

    fn target(&self) -> &str {
        &self.target
    }

    async fn inspect(&self, context: &JobContext) -> Result<LogArchivingFacts> {
        let (folder, suffix) = (self.folder.clone(), self.suffix.clone());
        let files = blocking(move || care::all_logs(&folder, &suffix)).await?;
        let files = files.map_err(|error| self.failed(&error))?;
        let kept_for = TimeDelta::from_std(self.policy.kept_for).unwrap_or(TimeDelta::MAX);
        let oldest = match context.now().checked_sub_signed(kept_for) {
            Some(time) => self.archive.aged_from_before(time, EXPIRED_MAX).await?,
            None => Vec::new(),
        };
        Ok(LogArchivingFacts { files, oldest })
    }

    fn plan(&self, facts: &LogArchivingFacts, now: DateTime<Utc>) -> LogArchivingPlan {
        plan_log_archiving(facts, &self.policy, now)
    }

    async fn apply(&self, plan: &LogArchivingPlan, turn: &mut Turn<'_>) -> Result<()> {
        let Some(_lock) = FolderLock::take(OPERATION, &self.folder, turn).await? else { return Ok(()) };
        let mut failed = FailedSteps::default();
        let mut store_failures = 0;
        for old in &plan.files {
            if store_failures >= STORE_FAILURES_MAX || !turn.may_go_on().await {
                break;
            }
            match self.archive(old, turn).await {
                Ok(()) => store_failures = 0,
                Err(error) => {
                    let is_of_file = [READ_FILE, LOOK].contains(&error.operation());
                    store_failures += u32::from(!is_of_file);
                    failed.note(format_args!("archive {}", old.file.path.display()), error);
                }
            }
        }
        for piece in &plan.expired {
            if store_failures >= STORE_FAILURES_MAX || !turn.may_go_on().await {
                break;
            }
            match self.archive.remove(piece).await {
                Ok(()) => {
                    store_failures = 0;
                    turn.did(piece.bytes, Duration::ZERO);
                }
                Err(error) => {
                    store_failures += 1;
                    failed.note(format_args!("remove {}", piece.key()), error);
                }
            }
        }
        failed.end(OPERATION, self.folder.display().to_string())
    }
}
