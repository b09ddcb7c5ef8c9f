//! What goes into the archive, and what leaves it. Pure.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::age::age;
use super::super::care::LogFacts;
use super::super::closed_file::ClosedFile;
use super::ArchivedPiece;
use crate::ChorePlan;

/// That nobody is seen to write to a file is no proof: nothing was written for so long, either.
const SETTLE: Duration = Duration::from_mins(5);

/// What is archived, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogArchivingPolicy {
    /// A closed file is archived when it was closed so long ago. 30 days: files must be kept longer than that.
    pub archive_after: Duration,
    /// A piece leaves the archive when its file was closed so long ago, and its last line is so old. 365 days.
    pub kept_for: Duration,
    /// Zstd's level, 1 (quick) to 19 (small). 9.
    pub level: i32,
}

impl Default for LogArchivingPolicy {
    fn default() -> Self {
        Self {
            archive_after: Duration::from_hours(30 * 24),
            kept_for: Duration::from_hours(365 * 24),
            level: 9,
        }
    }
}

impl LogArchivingPolicy {
    /// The same with another [`archive_after`](Self::archive_after).
    #[must_use]
    pub const fn with_archive_after(mut self, age: Duration) -> Self {
        self.archive_after = age;
        self
    }

    /// The same with another [`kept_for`](Self::kept_for).
    #[must_use]
    pub const fn with_kept_for(mut self, age: Duration) -> Self {
        self.kept_for = age;
        self
    }
}

/// What a look at log files and their archive finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogArchivingFacts {
    /// The files.
    pub files: LogFacts,
    /// The oldest pieces of the archive, by the time of their last line.
    pub oldest: Vec<ArchivedPiece>,
}

/// What goes into the archive, and what leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogArchivingPlan {
    /// Files that go there, the oldest of each log first.
    pub(super) files: Vec<OldFile>,
    /// Pieces that leave it.
    pub expired: Vec<ArchivedPiece>,
}

/// A file that goes into the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OldFile {
    /// What its log is called.
    pub(super) log: String,
    pub(super) file: ClosedFile,
    /// When the file before it was closed, if that is there still.
    pub(super) closed_before: Option<DateTime<Utc>>,
}

/// Decides what goes into the archive, and what leaves it. Pure.
///
/// A file that somebody has open still, or wrote to within five minutes, is left alone.
#[must_use]
pub fn plan_log_archiving(
    facts: &LogArchivingFacts,
    policy: &LogArchivingPolicy,
    now: DateTime<Utc>,
) -> LogArchivingPlan {
    let mut plan = LogArchivingPlan::default();
    for log in &facts.files.logs {
        let name = log.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut closed_before = None;
        for closed in &log.closed {
            let is_left_alone = closed.file.is_compressed
                || closed.is_open() != Some(true) && age(now, closed.modified_at) >= SETTLE;
            if is_left_alone && age(now, closed.closed_at()) >= policy.archive_after {
                plan.files.push(OldFile { log: name.clone(), file: closed.file.clone(), closed_before });
            }
            closed_before = Some(closed.closed_at());
        }
    }
    let is_expired =
        |piece: &&ArchivedPiece| piece.aged_from().is_some_and(|time| age(now, time) >= policy.kept_for);
    plan.expired = facts.oldest.iter().filter(is_expired).cloned().collect();
    plan
}

impl ChorePlan for LogArchivingPlan {
    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.expired.is_empty()
    }

    fn obstacles(&self) -> Vec<String> {
        Vec::new()
    }
}

impl fmt::Display for LogArchivingPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing is old enough");
        }
        let mut line_end = "";
        for OldFile { file, .. } in &self.files {
            let ClosedFile { path, closed_at, bytes, .. } = file;
            write!(f, "{line_end}archive {}, closed at {closed_at}, {bytes} bytes", path.display())?;
            line_end = "\n";
        }
        for piece in &self.expired {
            write!(f, "{line_end}remove from the archive {piece}")?;
            line_end = "\n";
        }
        Ok(())
    }
}
