//! What became of a snapshot.

use chrono::{DateTime, Utc};

/// What became of a snapshot's series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RestoredSamples {
    /// When the snapshot was taken.
    pub created_at: DateTime<Utc>,
    /// Series that were taken over.
    pub series: usize,
    /// Samples that were taken over.
    pub samples: usize,
    /// Series that were left out because no rule looks at them any more.
    pub ignored: usize,
    /// Series that were left out because no rule looks back that far.
    pub expired: usize,
    /// Series that were left out because their last sample lies ahead of the present: later ones would be shut out.
    pub ahead: usize,
    /// Series that were left out because the store has samples of theirs that are not later.
    pub overlapping: usize,
    /// Series that were left out because there was no room for them.
    pub refused: usize,
}
