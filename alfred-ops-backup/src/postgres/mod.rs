//! Postgres over its streaming replication protocol.

mod archives;
mod backend;
mod backup_label;
mod base_backup;
mod dialect;
mod engine;
mod facts;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod identity;
mod incremental_file;
mod manifest;
mod pages;
mod restore;
mod tar;
mod transfer;
mod verification;
mod wal;
mod wire;

pub use backend::{PostgresBackend, WalSource};
pub use identity::PostgresProbe;
pub use pages::{DamagedPage, PageReport};
pub use wal::{WalArchiveOptions, WalArchiver, WalFetch, WalReport, WalStatus, WalSummary};
