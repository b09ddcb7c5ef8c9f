//! Whether what is stored of a cluster is what its server wrote.

use alfred_ops_core::{Error, ErrorKind, JobContext, Result};

use super::PostgresBackend;
use super::facts::ClusterFacts;
use super::pages::{PageReport, verify_pages};
use super::wal::{StoredWal, WalSummary, scan};
use crate::{BackupRecord, Repository};

impl PostgresBackend {
    /// Reads the log that `record` can be replayed with, from the backup to the end of what is stored, and
    /// checks every record: its checksum and its place behind the one before.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] with the position of the first damage; the store's.
    pub async fn verify_wal(
        &self,
        repository: &Repository,
        record: &BackupRecord,
        context: &JobContext,
    ) -> Result<WalSummary> {
        let facts = ClusterFacts::read(&record.facts)?;
        let log = record.log.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "verify WAL", "the backup's record names no WAL")
        })?;
        let wal = StoredWal::after(repository, &facts, log.positions.start, None).await?;
        scan(&wal, &facts, None, context).await
    }

    /// Reads every file of `record`, checks every byte of it as [`Repository::verify`] does, and, where the
    /// cluster has data checksums, each page of its relations as Postgres does. A page that was being written
    /// while it was copied is right if the log between the backup's start and end restores it. Asks no server.
    ///
    /// `Ok` means that the repository holds what was captured; pages that were damaged already on the server's disk
    /// are in the report ([`PageReport::into_result`]).
    ///
    /// # Errors
    /// As [`Repository::verify`].
    pub async fn verify_pages(
        &self,
        repository: &Repository,
        record: &BackupRecord,
        context: &JobContext,
    ) -> Result<PageReport> {
        Box::pin(verify_pages(repository, record, context)).await
    }
}
