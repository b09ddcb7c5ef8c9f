//! How other services' log files are kept.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};

use super::super::setters::setters;

/// How the log files of other services are kept. Every default is safe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogCarePolicy {
    /// A file that is larger is closed, in bytes. 64 MiB.
    pub file_bytes_max: u64,
    /// A file is closed at the first look after each multiple of this since 1970 in UTC: a day means midnight. A day.
    pub file_age_max: Duration,
    /// Of each log, the oldest closed files go while all of them together have more bytes. 1 GiB.
    pub kept_bytes_max: u64,
    /// A closed file goes when it was closed so long ago. 37 days: a week for the archive to take what is 30 days old.
    pub kept_age_max: Duration,
    /// Closed files become `.zst` at this level, 1 (quick) to 19 (small); None leaves them as they are. 3.
    pub compression: Option<i32>,
    /// A file is compressed when it was closed so long ago and nothing was written to it for so long, and it is not removed
    /// before the latter. It is what keeps the lines of a service that cannot be seen to have the file open: give it more than
    /// the service may be silent. 5 minutes.
    pub settle: Duration,
    /// A service that still has a closed file open after so long did not reopen its log, which is reported. 10 minutes.
    pub reopen_within: Duration,
}

impl Default for LogCarePolicy {
    fn default() -> Self {
        Self {
            file_bytes_max: 64 << 20,
            file_age_max: Duration::from_hours(24),
            kept_bytes_max: 1 << 30,
            kept_age_max: Duration::from_hours(37 * 24),
            compression: Some(3),
            settle: Duration::from_mins(5),
            reopen_within: Duration::from_mins(10),
        }
    }
}

setters! {
    LogCarePolicy {
        with_file_bytes_max file_bytes_max u64,
        with_file_age_max file_age_max Duration,
        with_kept_bytes_max kept_bytes_max u64,
        with_kept_age_max kept_age_max Duration,
        with_compression compression Option<i32>,
        with_settle settle Duration,
        with_reopen_within reopen_within Duration,
    }
}

impl LogCarePolicy {
    /// Names every part that cannot be used.
    pub(super) fn check(&self) -> Result<()> {
        let mut problems = Vec::new();
        if self.file_bytes_max == 0 {
            problems.push("file_bytes_max is 0: give at least 1".to_owned());
        }
        if self.file_age_max < Duration::from_secs(1) {
            problems.push(format!("file_age_max is {:?}: give at least 1 s", self.file_age_max));
        }
        if let Some(level) = self.compression
            && !(1..=19).contains(&level)
        {
            problems.push(format!("compression level is {level}: give 1 to 19"));
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidInput, "care for logs", problems.join("; ")))
    }
}
