//! What every backend must do.

#![expect(clippy::unwrap_used, reason = "a conformance suite reports by panicking")]

use std::sync::Arc;

use alfred_ops_core::{ErrorKind, JobContext};
use tokio_util::sync::CancellationToken;

use crate::{Backend, BackupRequest, EntryKind, MemoryBlobStore, Piece, Repository, RepositoryOptions};

/// Checks that a running `backend` keeps the contract of [`Backend::capture`].
///
/// # Panics
/// At the first breach.
pub async fn backend(backend: &dyn Backend) {
    let context = JobContext::system();
    let store = Arc::new(MemoryBlobStore::new());
    let repository = Repository::open_or_create(store, RepositoryOptions::default(), &context).await.unwrap();
    captures_are_whole(backend, &repository, &context).await;
    cancelled_captures_stay_invisible(backend, &repository, &context).await;
}

async fn captures_are_whole(backend: &dyn Backend, repository: &Repository, context: &JobContext) {
    let first = repository.run_backup(backend, BackupRequest::full(), context).await.unwrap();
    let second = repository.run_backup(backend, BackupRequest::full(), context).await.unwrap();
    assert_eq!(first.backend, backend.kind());
    assert_eq!(repository.backups().await.unwrap(), [first.clone(), second.clone()], "in order of time");
    for record in [first, second] {
        let report = repository.verify(&record, context).await.unwrap();
        assert_eq!((report.files, report.raw_bytes), (record.stats.files, record.stats.raw_bytes));
        let mut reader = repository.read(&record, context).await.unwrap();
        let mut open = 0;
        while let Some(piece) = reader.next().await.unwrap() {
            match piece {
                Piece::Entry(entry) => {
                    assert_eq!(open, 0, "a file's content comes whole before {}", entry.path);
                    open = if let EntryKind::File { bytes } = entry.kind { bytes } else { 0 };
                }
                Piece::Data { data, .. } => open -= data.len() as u64,
            }
        }
        assert_eq!(open, 0, "the last file's content comes whole");
    }
}

async fn cancelled_captures_stay_invisible(
    backend: &dyn Backend,
    repository: &Repository,
    context: &JobContext,
) {
    let before = repository.backups().await.unwrap().len();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let cancelled = context.clone().with_cancel(cancel);
    let error = repository.run_backup(backend, BackupRequest::full(), &cancelled).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    assert_eq!(repository.backups().await.unwrap().len(), before);
}
