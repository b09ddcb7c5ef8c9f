//! What a log has done.

/// What a [`RotatingLog`](crate::RotatingLog) has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStats {
    /// Lines that the kernel has.
    pub lines_written: u64,
    /// Lines dropped because the queue was full, or because the log's thread ended without an answer.
    pub lines_dropped_full: u64,
    /// Lines dropped because they could not be written: a full disk, most often.
    pub lines_dropped_failed: u64,
    /// Lines refused because they were too long.
    pub lines_refused: u64,
    /// Files closed.
    pub rotations: u64,
    /// Attempts to close a file that failed; writing goes on in the same file.
    pub rotations_failed: u64,
    /// Times that the file had gone or been replaced, and a new one was made.
    pub reopened: u64,
    /// Attempts to compress or remove closed files that failed; the next rotation tries again.
    pub care_failed: u64,
}
