//! Postgres over its streaming replication protocol.

mod backend;
mod base_backup;
mod facts;
mod identity;
mod manifest;
mod restore;
mod tar;
mod wal;
mod wire;

pub use backend::{PostgresBackend, WalSource};
pub use identity::PostgresProbe;
pub use wal::{WalArchiveOptions, WalArchiver};
