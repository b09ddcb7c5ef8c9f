//! Keeps the engine's samples in a file.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_ops_core::{ClockExt as _, Error, ErrorKind, Result, SharedClock, blocking};
use chrono::{DateTime, TimeDelta, Utc};

use super::SnapshotStatus;
use super::snapshot_file::SnapshotFile;
use crate::store::RestoredSamples;

/// How long a disk may take: a last snapshot must fit into what an orchestrator waits.
const CALL_MAX: Duration = Duration::from_secs(8);

/// Keeps the engine's samples in a file.
#[derive(Debug)]
pub(super) struct Snapshots {
    file: Arc<SnapshotFile>,
    pub(super) interval: Duration,
    /// Held while the file is used, so that snapshots do not overtake one another.
    progress: tokio::sync::Mutex<Progress>,
    status: Mutex<SnapshotStatus>,
}

#[derive(Debug, Default)]
struct Progress {
    loaded: bool,
    saved_at: Option<DateTime<Utc>>,
}

impl Snapshots {
    pub(super) fn new(file: SnapshotFile, interval: Duration) -> Self {
        Self {
            file: Arc::new(file),
            interval,
            progress: tokio::sync::Mutex::default(),
            status: Mutex::default(),
        }
    }

    pub(super) fn status(&self) -> SnapshotStatus {
        self.desk().clone()
    }

    /// Reads the file and hands it to `take`; does nothing if that has happened before. A file that cannot be used counts
    /// as none, and is replaced by the next snapshot.
    pub(super) async fn load(
        &self,
        now: DateTime<Utc>,
        clock: &SharedClock,
        bytes_max: usize,
        take: impl FnOnce(&[u8]) -> Result<RestoredSamples> + Send + 'static,
    ) -> Result<()> {
        let mut progress = self.progress.lock().await;
        if progress.loaded {
            return Ok(());
        }
        let file = Arc::clone(&self.file);
        let work = blocking(move || file.read(bytes_max)?.map(|bytes| take(&bytes)).transpose());
        let taken = clock.timeout(CALL_MAX, "read snapshot", work).await.flatten().flatten();
        let useless = |error: &Error| matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported);
        if taken.as_ref().err().is_none_or(useless) {
            progress.loaded = true;
            progress.saved_at = Some(now);
            let mut status = self.desk();
            status.restored_at = Some(now);
            status.restored = taken.as_ref().ok().copied().flatten();
        }
        self.noted(taken).map(drop)
    }

    /// Writes what `snapshot` makes if the last one is older than the interval, or at once if `hurry`. Writes nothing before
    /// the snapshot of the last run has been read.
    pub(super) async fn save(
        &self,
        now: DateTime<Utc>,
        hurry: bool,
        clock: &SharedClock,
        snapshot: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> Result<()> {
        let mut progress = self.progress.lock().await;
        if !progress.loaded || (!hurry && !self.is_due(progress.saved_at, now)) {
            return Ok(());
        }
        let file = Arc::clone(&self.file);
        let work = blocking(move || {
            let bytes = snapshot();
            file.write(&bytes).map(|()| bytes.len())
        });
        // One that failed is tried again after the interval: a full disk does not become empty by trying.
        progress.saved_at = Some(now);
        let written = clock.timeout(CALL_MAX, "write snapshot", work).await.flatten().flatten();
        let bytes = self.noted(written)?;
        let mut status = self.desk();
        (status.saved_at, status.bytes) = (Some(now), bytes);
        Ok(())
    }

    fn is_due(&self, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        let interval = TimeDelta::from_std(self.interval).unwrap_or(TimeDelta::MAX);
        last.is_none_or(|last| now < last || now - last >= interval)
    }

    /// Notes how an attempt went, and logs where that changes.
    fn noted<T>(&self, outcome: Result<T>) -> Result<T> {
        let error = outcome.as_ref().err().map(Error::full);
        let mut status = self.desk();
        if let Some(error) = error.as_ref().filter(|_| status.last_error.is_none()) {
            tracing::warn!(path = %self.file.path().display(), error, "samples cannot be kept");
        }
        status.last_error = error;
        drop(status);
        outcome
    }

    fn desk(&self) -> MutexGuard<'_, SnapshotStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
