//! Whether a backup can be restored.

use alfred_ops_core::{JobContext, ProgressUnit, Result};

use super::{BackupRecord, Piece, Repository, SnapshotReader};

/// What [`Repository::verify`] has read and found whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Files whose every byte was read and hashed.
    pub files: u64,
    /// Their bytes.
    pub raw_bytes: u64,
    /// Bytes of the log that were read and hashed.
    pub log_bytes: u64,
}

impl Repository {
    /// Opens a backup for reading.
    ///
    /// # Errors
    /// The store's; [`Corrupt`](alfred_ops_core::ErrorKind::Corrupt) for a damaged index.
    pub async fn read(&self, record: &BackupRecord, context: &JobContext) -> Result<SnapshotReader> {
        SnapshotReader::open(self.clone(), record.clone(), context).await
    }

    /// Reads a whole backup and the log that makes it consistent, and checks every byte. `Ok` means that a
    /// restore at this moment would find everything it needs, unchanged. Stops at the first damage;
    /// [`inspect`](Self::inspect) names all of it.
    ///
    /// # Errors
    /// [`Corrupt`](alfred_ops_core::ErrorKind::Corrupt) with the damaged object,
    /// [`NotFound`](alfred_ops_core::ErrorKind::NotFound) with the missing one.
    pub async fn verify(&self, record: &BackupRecord, context: &JobContext) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        context.progress.begin("verify", Some(record.stats.raw_bytes), ProgressUnit::Bytes);
        let mut reader = self.read(record, context).await?;
        reader.check_hashes();
        while let Some(piece) = reader.next().await? {
            match piece {
                Piece::Entry(entry) => {
                    report.files += u64::from(matches!(entry.kind, super::EntryKind::File { .. }));
                }
                Piece::Data { data, .. } => report.raw_bytes += data.len() as u64,
            }
        }
        if let Some(range) = &record.log {
            let mut log = self.log(&range.log).read(range.positions.clone()).await?;
            while let Some(data) = log.next().await? {
                context.check("verify")?;
                report.log_bytes += data.len() as u64;
            }
        }
        Ok(report)
    }
}
