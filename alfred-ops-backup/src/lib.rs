//! Streams backups of stateful services to object stores and restores them, in-process.
//!
//! A [`Backend`] (Postgres, feature `postgres`) streams its state into a [`Repository`], which lies in a
//! [`BlobStore`] (memory, a folder, or S3 with feature `s3`). Nothing is staged on disk and memory is
//! bounded; a backup becomes visible by one create-once write after everything it needs is stored.
//!
//! ```
//! use std::sync::Arc;
//! use alfred_ops_backup::{
//!     BackupRequest, MemoryBackend, MemoryBlobStore, Repository, RepositoryOptions, RestoreRequest,
//! };
//! use alfred_ops_core::JobContext;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> alfred_ops_core::Result<()> {
//! let context = JobContext::system();
//! let store = Arc::new(MemoryBlobStore::new());
//! let repository = Repository::open_or_create(store, RepositoryOptions::default(), &context).await?;
//!
//! let service = MemoryBackend::new();
//! service.insert("tasks", "one, two");
//! let backup = repository.run_backup(&service, BackupRequest::full(), &context).await?;
//!
//! service.clear();
//! repository.run_restore(&backup, &service, &RestoreRequest::new(""), &context).await?;
//! assert_eq!(service.state()["tasks"], "one, two");
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//! - [`Backend`], [`RestoreRequest`], [`RecoveryTarget`]: what is captured, and to which moment it comes back.
//! - [`BlobStore`]: where backups rest; around one, [`RetryingBlobStore`], [`ThrottledBlobStore`],
//!   [`PrefixedBlobStore`] and [`MirroredBlobStore`].
//! - [`repository`]: the format, [`Repository::run_backup`], [`Repository::run_restore`],
//!   [`Repository::verify`], [`Repository::inspect`], [`Repository::repair`].
//! - [`RetentionPolicy`], [`Repository::prune`]: what is kept, and how the rest goes.
//! - [`BackupJob`], [`BackupSchedule`]: backups as a job of core's `Supervisor`.
//! - [`BlobLeases`]: leases in a blob store, for when the database is what is down.
//! - [`LogArchive`]: append-only logs, such as a database's write-ahead log.
//!
//! # Features
//! - `encryption`: repositories that only a key opens ([`RepositoryKey`]).
//! - `postgres`: `PostgresBackend` and `WalArchiver`, over the streaming replication protocol.
//! - `s3`: `S3BlobStore`.
//! - `testing`: mocks and conformance suites; `testing-servers`: an S3 server in this process.

mod backend;
mod backup;
mod backup_job;
mod backup_request;
mod backup_schedule;
mod blob;
mod buffer;
/// Entry points of the fuzz targets in `fuzz/`. No part of the public interface.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::postgres::fuzzing::{increment, log, manifest, protocol, tar};
    pub use crate::repository::fuzzing::format;
}
mod hex;
mod lease;
mod log;
#[cfg(feature = "postgres")]
mod postgres;
mod recovery_outlook;
mod recovery_outlook_job;
pub mod repository;
mod retention;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(any(test, feature = "testing"))]
pub use backend::MockBackend;
pub use backend::{Backend, Captured, MemoryBackend, RecoveryTarget, RestoreRequest, Restored};
pub use backup_job::BackupJob;
pub use backup_request::BackupRequest;
pub use backup_schedule::BackupSchedule;
#[cfg(any(test, feature = "testing"))]
pub use blob::MockBlobStore;
pub use blob::{
    BlobInfo, BlobStore, CreateOnce, LocalBlobStore, MemoryBlobStore, MirrorRepair, MirroredBlobStore,
    PrefixedBlobStore, RetryingBlobStore, Throttle, ThrottledBlobStore, probe_conditional_writes,
};
#[cfg(feature = "s3")]
pub use blob::{ObjectLock, ObjectLockMode, S3BlobStore, S3Flavour, S3Options};
pub use lease::BlobLeases;
pub use log::{LogArchive, LogReader};
#[cfg(feature = "postgres")]
pub use postgres::{
    DamagedPage, PageReport, PostgresBackend, PostgresProbe, WalArchiveOptions, WalArchiver, WalFetch,
    WalReport, WalSource, WalStatus, WalSummary,
};
pub use recovery_outlook::{LogState, RecoveryOutlook, RestoreRates};
pub use recovery_outlook_job::{RecoveryOutlookJob, StoredLog};
pub use repository::{
    BackupMode, BackupRecord, BackupStats, Catalog, Compression, Damage, DamageKind, Entry, EntryKind,
    Inspection, InspectionDepth, LogRange, Piece, PresentFiles, PruneReport, RepairReport, Repository,
    RepositoryKey, RepositoryOptions, SnapshotReader, SnapshotWriter, Unmended, VerifyReport,
};

pub use retention::{KeepReason, RetentionPlan, RetentionPolicy, Verdict};

pub(crate) use blob::check_key;
pub(crate) use buffer::Buffer;
pub(crate) use hex::{hex, unhex};
