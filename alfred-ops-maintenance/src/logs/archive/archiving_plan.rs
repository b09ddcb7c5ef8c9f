//! What goes into the archive, and what leaves it. Pure.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::age::age;
use super::super::care::LogFacts;
use super::super::closed_file::ClosedFile;
use super::ArchivedPiece;
use crate::ChorePlan;

/// What is archived, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogArchivingPolicy {
    /// A closed file is archived when it was closed so long ago. 30 days: files must be kept longer than that.
    pub archive_after: Duration,
    /// A piece leaves the archive when its last line is so old. 365 days.
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
    /// Files that go there, the oldest of each log first, with the names of their logs.
    pub(super) files: Vec<(String, ClosedFile)>,
    /// Pieces that leave it.
    pub expired: Vec<ArchivedPiece>,
}

/// Decides what goes into the archive, and what leaves it. Pure.
///
/// A file that somebody has open still is left alone.
#[must_use]
pub fn plan_log_archiving(
    facts: &LogArchivingFacts,
    policy: &LogArchivingPolicy,
    now: DateTime<Utc>,
) -> LogArchivingPlan {
    let mut plan = LogArchivingPlan::default();
    for log in &facts.files.logs {
        let name = log.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let old = log.closed.iter().filter(|closed| {
            closed.is_open() != Some(true) && age(now, closed.closed_at()) >= policy.archive_after
        });
        plan.files.extend(old.map(|closed| (name.clone(), closed.file.clone())));
    }
    plan.expired =
        facts.oldest.iter().filter(|piece| age(now, piece.last) >= policy.kept_for).cloned().collect();
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
        for (_, file) in &self.files {
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
