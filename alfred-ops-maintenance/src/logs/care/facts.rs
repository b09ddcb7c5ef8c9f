//! What a look at a folder of log files finds.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::super::closed_file::ClosedFile;

/// What a look at a folder of log files finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogFacts {
    /// The logs, by name.
    pub logs: Vec<ServiceLog>,
}

/// The log of a service: the file that it writes, and those that were closed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceLog {
    /// The file that the service writes. It need not be there.
    pub path: PathBuf,
    /// Its length in bytes; None if it is not there.
    pub bytes: Option<u64>,
    /// Since when lines go into it, as far as the files tell.
    pub began_at: Option<DateTime<Utc>>,
    /// The closed files, oldest first.
    pub closed: Vec<ClosedLog>,
    /// What interrupted runs left.
    pub unfinished: Vec<PathBuf>,
    /// Whether a [`RotatingLog`](crate::RotatingLog) wrote it, which cares for itself.
    pub is_cared_for: bool,
}

/// A closed file of a service's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedLog {
    pub(in crate::logs) file: ClosedFile,
    pub(in crate::logs) modified_at: DateTime<Utc>,
    pub(super) is_open: Option<bool>,
}

impl ClosedLog {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// When it was closed, by the clock of then.
    #[must_use]
    pub const fn closed_at(&self) -> DateTime<Utc> {
        self.file.closed_at
    }

    /// Its length in bytes, on the disk.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.file.bytes
    }

    /// Whether a process has it open for writing still; None if nobody can tell: in a container with processes of its own,
    /// where processes are hidden (`hidepid`, `ProtectProc`), for want of rights, or on systems other than Linux.
    #[must_use]
    pub const fn is_open(&self) -> Option<bool> {
        self.is_open
    }
}
