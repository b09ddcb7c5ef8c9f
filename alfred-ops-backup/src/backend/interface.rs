//! The interface of backends.

use std::fmt;

use alfred_ops_core::{JobContext, Result};
use async_trait::async_trait;

use super::RestoreRequest;
use crate::{BackupMode, LogRange, SnapshotReader, SnapshotWriter};

/// A stateful service that can be captured and restored.
///
/// A backend streams named files and knows nothing of chunks, compression or stores: the repository cuts,
/// hashes, compresses, packs and, once the backend has returned, makes the backup visible.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// A short stable name of the kind of service, such as `postgres`. A backup is restored by a backend
    /// of the kind that made it.
    fn kind(&self) -> &str;

    /// Streams the service's present state into `snapshot` while the service goes on working.
    ///
    /// After `Ok` the snapshot together with the log range in the answer is consistent, and that range is
    /// stored. After `Err` or a dropped future nothing is visible, the service is unchanged, and the call
    /// may be repeated. Concurrent calls are independent.
    async fn capture(&self, context: &JobContext, snapshot: &mut SnapshotWriter) -> Result<Captured>;

    /// Brings a captured state back at the request's destination.
    ///
    /// After `Ok` the destination holds the whole state, ready to be started. The destination is checked
    /// before anything is written; after a later `Err` or a dropped future it holds a part, marked so that
    /// the service does not start from it, and that a repeat goes on from there.
    async fn restore(
        &self,
        context: &JobContext,
        snapshot: SnapshotReader,
        request: &RestoreRequest,
    ) -> Result<Restored>;
}

/// What a capture tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Captured {
    /// What was captured: a server without credentials.
    pub source: String,
    /// The part of a log that makes the snapshot consistent. It is stored.
    pub log: Option<LogRange>,
    /// Whether everything was read.
    pub mode: BackupMode,
    /// Why it was made otherwise than it was asked for, if it was.
    pub note: Option<String>,
    /// What the backend wants to know when it restores.
    pub facts: serde_json::Value,
}

impl Captured {
    /// A capture of `source` that needs neither log nor facts.
    #[must_use]
    pub fn new(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            log: None,
            mode: BackupMode::Full,
            note: None,
            facts: serde_json::Value::Null,
        }
    }

    /// The same capture with a log.
    #[must_use]
    pub fn with_log(mut self, log: LogRange) -> Self {
        self.log = Some(log);
        self
    }

    /// The same capture, of which only what had changed was read.
    #[must_use]
    pub const fn incremental(mut self) -> Self {
        self.mode = BackupMode::Incremental;
        self
    }

    /// The same capture with a reason why it is not what was asked for.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The same capture with facts.
    #[must_use]
    pub fn with_facts(mut self, facts: serde_json::Value) -> Self {
        self.facts = facts;
        self
    }
}

/// What a restore tells of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// Files written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, bytes that lay at the destination already.
    pub present_bytes: u64,
    /// Bytes of log that the service will replay.
    pub log_bytes: u64,
}

impl Restored {
    /// So much was restored.
    #[must_use]
    pub const fn new(files: u64, bytes: u64, log_bytes: u64) -> Self {
        Self { files, bytes, present_bytes: 0, log_bytes }
    }
}
