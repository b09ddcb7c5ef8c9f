//! One thing that is done to a log file.

use std::fmt;
use std::path::{Path, PathBuf};

use super::super::closed_file::ClosedFile;
use super::super::pruning::PruneReason;

/// One thing that is done to a log file. `Display` says what and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStep(pub(super) Work);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    /// The file that the service writes is closed.
    Rotate { path: PathBuf, to: PathBuf, reason: RotateReason },
    /// The service is told again: it may not have heard, or the host died before it was told.
    Reopen { path: PathBuf },
    /// What an interrupted run left goes.
    Clear { path: PathBuf },
    /// A closed file becomes smaller.
    Compress { file: ClosedFile },
    /// A closed file goes.
    Remove { file: ClosedFile, reason: PruneReason },
}

/// Why a file is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RotateReason {
    /// It has more bytes than it may.
    Large {
        /// So many.
        bytes: u64,
    },
    /// A new day, or whatever the policy counts in, has begun.
    Period,
}

impl LogStep {
    /// What gives room comes first, for all logs: what follows may need it.
    pub(super) const fn rank(&self) -> u8 {
        match self.0 {
            Work::Clear { .. } | Work::Remove { .. } => 0,
            Work::Reopen { .. } => 1,
            Work::Compress { .. } => 2,
            Work::Rotate { .. } => 3,
        }
    }

    pub(super) const fn is_reopening(&self) -> bool {
        matches!(self.0, Work::Reopen { .. })
    }
}

impl fmt::Display for LogStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Work::Rotate { path, to, reason } => {
                write!(f, "close {} as {}: ", path.display(), name(to).display())?;
                match reason {
                    RotateReason::Large { bytes } => write!(f, "it has {bytes} bytes"),
                    RotateReason::Period => f.write_str("a new period has begun"),
                }
            }
            Work::Reopen { path } => {
                write!(
                    f,
                    "tell the service again to open {}: it seems to write to a closed file",
                    path.display()
                )
            }
            Work::Clear { path } => write!(f, "remove {}: an interrupted run left it", path.display()),
            Work::Compress { file } => write!(f, "compress {}: {} bytes", file.path.display(), file.bytes),
            Work::Remove { file, reason } => {
                write!(f, "remove {}, {} bytes: ", file.path.display(), file.bytes)?;
                f.write_str(match reason {
                    PruneReason::Old => "it is old",
                    PruneReason::Room => "newer files need the room",
                })
            }
        }
    }
}

fn name(path: &Path) -> &Path {
    path.file_name().map_or(path, Path::new)
}
