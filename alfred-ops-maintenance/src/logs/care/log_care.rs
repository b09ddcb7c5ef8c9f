//! The chore.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{ClockExt as _, Error, JobContext, Result, StateStore, blocking};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::super::closed_file::{ClosedFile, extended, sync_folder};
use super::super::compression::{Compressed, compress};
use super::super::failed_steps::FailedSteps;
use super::super::failure::kind_of;
use super::super::folder_lock::FolderLock;
use super::super::host::check_host;
use super::super::regular_file::{create_anew, open_regular_to_change, remove};
use super::step::Work;
use super::{LogCarePlan, LogCarePolicy, LogFacts, LogStep, ReopenHook, look, plan_log_care};
use crate::{Cadence, Caretaker, CaretakerBuilder, Chore, Turn};

const EVERY: Duration = Duration::from_secs(60);
/// A hook that does not come back is given up after this.
const HOOK_TIMEOUT: Duration = Duration::from_secs(30);
const OPERATION: &str = "care for logs";

/// Care of the log files that other services write into a folder: closed by size and time, compressed, and removed in the
/// end. Closed files are called as those of a [`RotatingLog`](crate::RotatingLog):
/// `agent.log.20261126T033000Z.000000007.zst`.
///
/// What holds, however often its process is killed:
/// - With [`reopening`](Self::reopening), no line is lost. The file is renamed, and what the service writes before it opens
///   the log anew goes into the renamed one. A file that a process is seen to have open for writing (on Linux) is neither
///   compressed nor removed, nor one that was written to within [`settle`](LogCarePolicy::settle). The latter alone guards
///   the lines of a service that cannot be seen, from a container or where processes are hidden: such a service must
///   hear the hook, or write that often. While the log itself is missing, it is told at every run.
/// - With [`copying`](Self::copying), lines that the service writes between the end of the copy and the cut, some
///   microseconds, are lost. Killed between the two, lines are there twice.
/// - Links are not followed, so a service that owns the folder gains nothing by a care that may do more than itself.
/// - One run works in a folder at a time, by a lock on the folder, whatever state store each has.
/// - What fails does not keep the rest from being done. The run fails in the end and names it.
///
/// ```
/// use alfred_ops_maintenance::{LogCare, LogCarePolicy, ReopenHook};
///
/// let hook = ReopenHook::command("systemctl", &["kill", "-s", "HUP", "agent"]);
/// let care = LogCare::reopening("agent-host-1", "/var/log/agent", hook, LogCarePolicy::default())?;
/// # Ok::<(), alfred_ops_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LogCare {
    folder: PathBuf,
    suffix: String,
    /// None: copy and cut.
    hook: Option<ReopenHook>,
    policy: LogCarePolicy,
    name: String,
    target: String,
}

impl LogCare {
    /// Care of the files in `folder` whose names end with `.log`, for services that `hook` tells to open their logs anew.
    ///
    /// `host` is unique in the state store, for each host and folder: visible ASCII without `/`.
    ///
    /// # Errors
    /// `InvalidInput` names what cannot be used.
    pub fn reopening(
        host: &str,
        folder: impl Into<PathBuf>,
        hook: ReopenHook,
        policy: LogCarePolicy,
    ) -> Result<Self> {
        Self::new(host, folder.into(), Some(hook), policy)
    }

    /// The same for services that cannot be told: the file is copied and then cut to nothing. The service must have it open
    /// for appending.
    ///
    /// # Errors
    /// `InvalidInput` names what cannot be used.
    pub fn copying(host: &str, folder: impl Into<PathBuf>, policy: LogCarePolicy) -> Result<Self> {
        Self::new(host, folder.into(), None, policy)
    }

    fn new(host: &str, folder: PathBuf, hook: Option<ReopenHook>, policy: LogCarePolicy) -> Result<Self> {
        policy.check()?;
        check_host(OPERATION, host)?;
        Ok(Self {
            name: format!("logs-{host}"),
            target: format!("logs:{host}"),
            folder,
            suffix: ".log".to_owned(),
            hook,
            policy,
        })
    }

    /// The same for files whose names end with `suffix`.
    #[must_use]
    pub fn with_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = suffix.into();
        self
    }

    /// A caretaker that runs it every minute.
    #[must_use]
    pub fn caretaker(self, store: Arc<dyn StateStore>) -> CaretakerBuilder<Self> {
        Caretaker::builder(self, store).cadence(Cadence::every(EVERY))
    }

    async fn make(&self, step: &LogStep, turn: &mut Turn<'_>) -> Result<()> {
        let level = self.policy.compression.unwrap_or_default();
        let done = match step.0.clone() {
            Work::Rotate { path, to, .. } => return self.rotate(path, to, turn).await,
            Work::Reopen { path } => return self.tell(path, turn).await,
            Work::Clear { path } | Work::Remove { file: ClosedFile { path, .. }, .. } => {
                blocking(move || removed(&path)).await?
            }
            Work::Compress { file } => blocking(move || smaller(&file, level)).await?,
        };
        match done {
            Ok(freed) => turn.did(freed, Duration::ZERO),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                turn.note(format!("vanished before its turn: {step}"));
            }
            Err(error) => return Err(self.failed(&error)),
        }
        Ok(())
    }

    async fn rotate(&self, path: PathBuf, to: PathBuf, turn: &mut Turn<'_>) -> Result<()> {
        let is_copied = self.hook.is_none();
        let (from, log) = (path.clone(), path.display().to_string());
        let closed = blocking(move || if is_copied { copy_and_cut(&from, &to) } else { rename(&from, &to) });
        match closed.await? {
            Ok(()) => turn.did(0, Duration::ZERO),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                turn.note(format!("{log} vanished before it was closed"));
                return Ok(());
            }
            Err(error) => return Err(self.failed(&error)),
        }
        self.tell(path, turn).await
    }

    /// Tells the service. That it cannot be told is a note: the next look sees whether it wrote on.
    async fn tell(&self, path: PathBuf, turn: &mut Turn<'_>) -> Result<()> {
        let Some(hook) = &self.hook else { return Ok(()) };
        let called =
            turn.context().clock.timeout(HOOK_TIMEOUT, "tell service to reopen its log", hook.call(path));
        match called.await.flatten() {
            Ok(()) => turn.did(0, Duration::ZERO),
            Err(error) => turn.note(format!("the service could not be told: {}", error.full())),
        }
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::new(kind_of(error), OPERATION, error.to_string())
            .with_target(self.folder.display().to_string())
            .with_remedy(match error.kind() {
                io::ErrorKind::NotFound => "check the path",
                _ => {
                    "the user that cares for logs must be able to read the files and to write to their folder"
                }
            })
    }
}

fn removed(path: &Path) -> io::Result<u64> {
    let bytes = fs::symlink_metadata(path)?.len();
    remove(path)?;
    Ok(bytes)
}

fn smaller(file: &ClosedFile, level: i32) -> io::Result<u64> {
    Ok(match compress(file, level, &|| false)? {
        Compressed::Done { freed } => freed,
        Compressed::Grew | Compressed::Stopped => 0,
    })
}

fn rename(path: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{} is there already", to.display()),
        ));
    }
    fs::rename(path, to)?;
    sync_folder(to)
}

/// Copies a log and cuts it to nothing. The copy is whole and on the disk before the cut.
fn copy_and_cut(path: &Path, to: &Path) -> io::Result<()> {
    let unfinished = extended(to, ".tmp");
    let log = open_regular_to_change(path)?;
    let mut source = &log;
    let mut copy = create_anew(&unfinished)?;
    copy.set_permissions(log.metadata()?.permissions())?;
    io::copy(&mut source, &mut copy)?;
    copy.sync_all()?;
    rename(&unfinished, to)?;
    // What came meanwhile.
    while io::copy(&mut source, &mut copy)? > 0 {
        copy.sync_all()?;
    }
    log.set_len(0)
}

#[async_trait]
impl Chore for LogCare {
    type Facts = LogFacts;
    type Plan = LogCarePlan;

    fn name(&self) -> &str {
        &self.name
    }

    fn target(&self) -> &str {
        &self.target
    }

    async fn inspect(&self, _: &JobContext) -> Result<LogFacts> {
        let (folder, suffix) = (self.folder.clone(), self.suffix.clone());
        blocking(move || look::facts(&folder, &suffix)).await?.map_err(|error| self.failed(&error))
    }

    fn plan(&self, facts: &LogFacts, now: DateTime<Utc>) -> LogCarePlan {
        let mut plan = plan_log_care(facts, &self.policy, now);
        if self.hook.is_none() {
            plan.steps.retain(|step| !step.is_reopening());
        }
        plan
    }

    async fn apply(&self, plan: &LogCarePlan, turn: &mut Turn<'_>) -> Result<()> {
        let Some(_lock) = FolderLock::take(OPERATION, &self.folder, turn).await? else { return Ok(()) };
        let mut failed = FailedSteps::default();
        for step in &plan.steps {
            if !turn.may_go_on().await {
                break;
            }
            if let Err(error) = self.make(step, turn).await {
                failed.note(step, error);
            }
        }
        failed.end(OPERATION, self.folder.display().to_string())
    }
}
