//! What the engine keeps of its samples across restarts.

use std::sync::PoisonError;

use alfred_ops_core::Result;
use chrono::{DateTime, Utc};

use super::AlertEngine;
use crate::store::RestoredSamples;

/// A snapshot is about as large as what it was taken of; a file much larger than the store may be is none of ours.
const FILE_PER_STORE_MAX: usize = 4;

impl AlertEngine {
    /// All samples as bytes, taken at `now`, for a host that keeps them elsewhere than on a disk: in a bucket, for one
    /// whose disk does not outlive it. See [`SampleStore::snapshot`](crate::SampleStore::snapshot).
    ///
    /// Takes one pass over all series, in which evaluations go on and scrapes that end wait, and memory for a copy of the
    /// samples: call it where a thread may be kept busy for so long.
    #[must_use]
    pub fn snapshot(&self, now: DateTime<Utc>) -> Vec<u8> {
        self.store().read().unwrap_or_else(PoisonError::into_inner).snapshot(now)
    }

    /// Takes over the samples of a snapshot, as of `now`: best before the first scrape. See
    /// [`SampleStore::restore`](crate::SampleStore::restore), whose rules and errors apply.
    ///
    /// # Errors
    /// [`Corrupt`](alfred_ops_core::ErrorKind::Corrupt) or [`Unsupported`](alfred_ops_core::ErrorKind::Unsupported) for a
    /// snapshot that cannot be read; the engine then goes on with what it has.
    pub fn restore_snapshot(&self, snapshot: &[u8], now: DateTime<Utc>) -> Result<RestoredSamples> {
        self.store().write().unwrap_or_else(PoisonError::into_inner).restore(snapshot, now)
    }

    /// Takes over the samples of the file, if there is one; only the first success does anything.
    pub(super) async fn restore_samples(&self, now: DateTime<Utc>) -> Result<()> {
        let Some(snapshots) = &self.parts().snapshots else { return Ok(()) };
        let bytes_max = self.store().read().unwrap_or_else(PoisonError::into_inner).limits().bytes_max;
        let engine = self.clone();
        let take = move |bytes: &[u8]| engine.restore_snapshot(bytes, now);
        let bytes_max = bytes_max.saturating_mul(FILE_PER_STORE_MAX);
        snapshots.load(now, &self.parts().clock, bytes_max, take).await
    }

    /// Writes the samples to the file if the last time is long ago, or at once if `hurry`.
    pub(super) async fn save_samples(&self, now: DateTime<Utc>, hurry: bool) -> Result<()> {
        let Some(snapshots) = &self.parts().snapshots else { return Ok(()) };
        let engine = self.clone();
        snapshots.save(now, hurry, &self.parts().clock, move || engine.snapshot(now)).await
    }
}
