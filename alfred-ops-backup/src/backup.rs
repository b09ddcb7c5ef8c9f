//! The two procedures that everything else serves.

use alfred_ops_core::{Error, ErrorKind, Id, JobContext, ProgressUnit, Result};

use crate::{Backend, BackupRecord, BackupRequest, Repository, RestoreRequest, Restored, SnapshotWriter};

impl Repository {
    /// Captures `backend` into a new backup.
    ///
    /// The backup exists from the moment that its commit object does, which is written once and last, after
    /// everything it needs is stored. After an error, a dropped future or a crash there is no backup; what
    /// was sent stays unreferenced and does no harm. After [`ErrorKind::Timeout`] the last write may have
    /// happened: list the backups before a repeat.
    ///
    /// # Errors
    /// The backend's and the store's; [`ErrorKind::Cancelled`] if the caller asked to stop.
    #[tracing::instrument(skip_all, fields(backend = backend.kind(), repository = self.location()))]
    pub async fn run_backup(
        &self,
        backend: &dyn Backend,
        request: BackupRequest,
        context: &JobContext,
    ) -> Result<BackupRecord> {
        let started_at = context.now();
        let id = Id::new(started_at, &*context.entropy);
        context.progress.begin("backup", None, ProgressUnit::Bytes);
        let mut writer = Box::new(SnapshotWriter::new(self.clone(), id, request, context));
        let captured = backend.capture(context, &mut writer).await?;
        let (base, damage) = (writer.base().cloned(), writer.take_note());
        let (index_hash, stats) = Box::pin(writer.finish()).await?;
        if let Some(range) = &captured.log {
            let stored_until = self.log(&range.log).stored_until(range.positions.start).await?;
            if stored_until < range.positions.end {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "finish backup",
                    format!(
                        "the log is stored until {stored_until}, the backup needs {}",
                        range.positions.end
                    ),
                ));
            }
        }
        self.still_whole(base.as_ref(), id, context).await?;
        context.check("finish backup")?;
        let notes: Vec<String> = captured.note.into_iter().chain(damage).collect();
        let record = BackupRecord {
            id,
            backend: backend.kind().to_owned(),
            source: captured.source,
            mode: captured.mode,
            base: base.map(|base| base.id),
            note: (!notes.is_empty()).then(|| notes.join("; ")),
            started_at,
            finished_at: context.now(),
            stats,
            log: captured.log,
            facts: captured.facts,
            index_hash: index_hash.to_hex().to_string(),
        };
        self.commit(&record).await?;
        tracing::info!(backup = %id, raw_bytes = stats.raw_bytes, stored_bytes = stats.stored_bytes, "backup finished");
        Ok(record)
    }

    /// Brings a backup back through a backend of the kind that made it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a backend of another kind; the backend's and the store's.
    #[tracing::instrument(skip_all, fields(backup = %record.id, repository = self.location()))]
    pub async fn run_restore(
        &self,
        record: &BackupRecord,
        backend: &dyn Backend,
        request: &RestoreRequest,
        context: &JobContext,
    ) -> Result<Restored> {
        if backend.kind() != record.backend {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "restore",
                format!(
                    "backup {} is of {:?}, the backend of {:?}",
                    record.id,
                    record.backend,
                    backend.kind()
                ),
            )
            .with_remedy("restore with a backend of the kind that made the backup"));
        }
        context.progress.begin("restore", Some(record.stats.raw_bytes), ProgressUnit::Bytes);
        let reader = self.read(record, context).await?;
        backend.restore(context, reader, request).await
    }
}
