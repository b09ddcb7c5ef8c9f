//! How archiving goes.

use std::ops::Range;
use std::time::Duration;

use alfred_ops_core::Lsn;
use serde::Serialize;

/// How archiving goes, as far as an archiver knows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct WalStatus {
    /// The timeline that is archived; 0 before the first run.
    pub timeline: u32,
    /// How far WAL is stored.
    pub stored: Lsn,
    /// How far the server had written when it was last heard of.
    pub written: Lsn,
    /// Bytes between the two: what the slot keeps on the server's disk, apart from whole segments.
    pub lag_bytes: u64,
    /// Whether the lag has passed the alarm's bound and not yet halved since.
    pub lagging: bool,
    /// The recovery point: so far back would a disaster take the database now. Zero while a run has all that
    /// the server wrote.
    pub unstored_for: Duration,
    /// From the arrival of WAL until it was stored: half of the last thousand chunks took no longer. With
    /// synchronous replication a commit waits for this.
    pub confirmed_p50: Option<Duration>,
    /// The same for 99 of a hundred.
    pub confirmed_p99: Option<Duration>,
    /// WAL that the server no longer had when the present run began.
    pub gap: Option<Range<Lsn>>,
}
