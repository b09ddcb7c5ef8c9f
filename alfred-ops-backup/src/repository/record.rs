//! A backup's own word on itself.

use std::ops::Range;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Id, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::index::SourceRef;

/// A finished backup: the content of its commit object, which is written last and exactly once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackupRecord {
    /// The backup's identifier; it sorts by the time of starting.
    pub id: Id,
    /// The kind of backend that made it and can restore it, such as `postgres`.
    pub backend: String,
    /// What was captured, in the backend's words: a server without credentials.
    pub source: String,
    /// Whether everything was read or only what had changed. Either way it restores by itself.
    pub mode: BackupMode,
    /// The backup that it was compared with: what both hold is stored once.
    pub base: Option<Id>,
    /// Why it was made otherwise than it was asked for, if it was.
    pub note: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When its last byte was safe.
    pub finished_at: DateTime<Utc>,
    /// What it took.
    pub stats: BackupStats,
    /// The part of a log that makes it consistent.
    pub log: Option<LogRange>,
    /// What the backend wants to know when it restores, such as versions and positions.
    pub facts: serde_json::Value,
    /// BLAKE3 of the stored index, in hexadecimal.
    pub index_hash: String,
}

/// How much a backup reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BackupMode {
    /// Everything. What an earlier backup holds already is compared and not stored again.
    #[default]
    Full,
    /// What the service says has changed since an earlier backup; everything, where it cannot say.
    Incremental,
}

/// What a backup took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackupStats {
    /// Files captured.
    pub files: u64,
    /// Their bytes.
    pub raw_bytes: u64,
    /// Bytes that the service sent for them.
    pub received_bytes: u64,
    /// Of these, bytes of pages that no earlier backup held.
    pub new_bytes: u64,
    /// Bytes stored for them, compressed and with the index, without the log.
    pub stored_bytes: u64,
}

/// A part of a log in the same repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRange {
    /// The log's name.
    pub log: String,
    /// Its positions, the end excluded.
    pub positions: Range<u64>,
}

impl BackupRecord {
    pub(super) fn index_ref(&self) -> Result<SourceRef> {
        let index_hash = blake3::Hash::from_hex(self.index_hash.as_bytes()).map_err(|source| {
            Error::new(ErrorKind::Corrupt, "read backup record", "its index_hash is no hash")
                .with_source(source)
        })?;
        Ok(SourceRef { id: self.id, index_hash })
    }

    /// How long it took.
    #[must_use]
    pub fn duration(&self) -> Duration {
        (self.finished_at - self.started_at).to_std().unwrap_or_default()
    }
}
