//! How a log file is written and kept.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};

use super::setters::setters;

/// When a line counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Handover {
    /// When it is in a queue of this process, which a thread hands to the kernel within
    /// [`LogOptions::flush_interval`]. `kill -9` loses what the queue holds.
    Queue,
    /// When the kernel has it: `kill -9` loses nothing. A system call for each line.
    Kernel,
    /// When it is in a journal, a hidden file beside the log of [`LogOptions::queue_bytes_max`] that is mapped into memory and
    /// whose lines a thread moves into the log's file within [`LogOptions::flush_interval`]. `kill -9` loses nothing either:
    /// the next opening, with whatever handover, writes what the journal has, once. Not on file systems that copy on write,
    /// such as Btrfs, where a full disk would kill the process: opening is refused there. Nobody else may truncate the file.
    Journal,
}

/// What becomes of a line for which the queue has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// The writer waits for room. A slow disk slows the host; a disk that fails does not, for what cannot be
    /// written is dropped and counted.
    Block,
    /// The line is dropped and counted, and the next line that is written is told so.
    Drop,
}

/// What becomes of a closed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// It stays as it is.
    None,
    /// It becomes a `.zst` file, on a thread of its own.
    Zstd {
        /// 1 (quick) to 19 (small).
        level: i32,
    },
}

/// How a [`RotatingLog`](crate::RotatingLog) is written and kept. Every default is safe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogOptions {
    /// The file is closed before it becomes larger, in bytes; only a single line may be. 64 MiB.
    pub file_bytes_max: u64,
    /// The file is closed at each multiple of this since 1970 in UTC: a day means midnight. Whole seconds. A day.
    pub file_age_max: Duration,
    /// The oldest closed files go while all of them together have more bytes. 1 GiB.
    pub kept_bytes_max: u64,
    /// A closed file goes when it was closed so long ago. 37 days: a week for an archive to take what is 30 days old.
    pub kept_age_max: Duration,
    /// What becomes of closed files. Zstd at level 3.
    pub compression: Compression,
    /// When a line counts as written. [`Handover::Queue`].
    pub handover: Handover,
    /// What becomes of a line for which the queue has no room. [`WhenFull::Block`].
    pub when_full: WhenFull,
    /// So many bytes wait at most; the queue takes up to twice the memory. A journal that something waits in keeps its
    /// size until the next opening. 8 MiB.
    pub queue_bytes_max: usize,
    /// A line waits so long at most before the kernel gets it, on a disk that keeps up. 100 ms.
    pub flush_interval: Duration,
    /// A longer line is refused, in bytes with its end. 1 MiB.
    pub line_bytes_max: usize,
    /// A flush, and the guard's drop, wait so long at most. 5 s.
    pub flush_wait_max: Duration,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            file_bytes_max: 64 << 20,
            file_age_max: Duration::from_hours(24),
            kept_bytes_max: 1 << 30,
            kept_age_max: Duration::from_hours(37 * 24),
            compression: Compression::Zstd { level: 3 },
            handover: Handover::Queue,
            when_full: WhenFull::Block,
            queue_bytes_max: 8 << 20,
            flush_interval: Duration::from_millis(100),
            line_bytes_max: 1 << 20,
            flush_wait_max: Duration::from_secs(5),
        }
    }
}

setters! {
    LogOptions {
        with_file_bytes_max file_bytes_max u64,
        with_file_age_max file_age_max Duration,
        with_kept_bytes_max kept_bytes_max u64,
        with_kept_age_max kept_age_max Duration,
        with_compression compression Compression,
        with_handover handover Handover,
        with_when_full when_full WhenFull,
        with_queue_bytes_max queue_bytes_max usize,
        with_flush_interval flush_interval Duration,
        with_line_bytes_max line_bytes_max usize,
        with_flush_wait_max flush_wait_max Duration,
    }
}

impl LogOptions {
    /// Names every option that cannot be used.
    pub(super) fn check(&self) -> Result<()> {
        let mut problems = Vec::new();
        let mut need = |holds: bool, problem: String| {
            if !holds {
                problems.push(problem);
            }
        };
        need(self.file_bytes_max > 0, "file_bytes_max is 0: give at least 1".to_owned());
        need(
            self.file_age_max >= Duration::from_secs(1) && self.file_age_max.subsec_nanos() == 0,
            format!("file_age_max is {:?}: give whole seconds, at least 1", self.file_age_max),
        );
        need(self.line_bytes_max > 1, format!("line_bytes_max is {}: give at least 2", self.line_bytes_max));
        need(
            self.queue_bytes_max >= self.line_bytes_max,
            format!(
                "queue_bytes_max is {}: give at least line_bytes_max, {}",
                self.queue_bytes_max, self.line_bytes_max
            ),
        );
        if let Compression::Zstd { level } = self.compression {
            need((1..=19).contains(&level), format!("compression level is {level}: give 1 to 19"));
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidInput, "open log", problems.join("; ")))
    }
}
