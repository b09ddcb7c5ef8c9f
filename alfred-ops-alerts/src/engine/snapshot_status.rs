//! How keeping samples across restarts goes.

use chrono::{DateTime, Utc};

use crate::store::RestoredSamples;

/// How keeping samples across restarts goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SnapshotStatus {
    /// When the file was looked at; `None` until it could be.
    pub restored_at: Option<DateTime<Utc>>,
    /// What was taken over then; `None` if there was no file, or one that could not be used.
    pub restored: Option<RestoredSamples>,
    /// When a snapshot was last written.
    pub saved_at: Option<DateTime<Utc>>,
    /// How many bytes it had.
    pub bytes: usize,
    /// Why the last attempt to read or to write failed, if it did.
    pub last_error: Option<String>,
}
