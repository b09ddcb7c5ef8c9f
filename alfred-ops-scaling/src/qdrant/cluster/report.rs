//! What a run has done.

use std::fmt;

/// What a run has done itself. What earlier runs have done, or others, is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct QdrantReport {
    /// Transfers that the cluster has accepted.
    pub transfers_started: u64,
    /// Transfers that were ended.
    pub transfers_aborted: u64,
    /// Replicas that were dropped.
    pub replicas_dropped: u64,
    /// Peers that were taken out.
    pub peers_removed: u64,
}

impl fmt::Display for QdrantReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transfers_started, transfers_aborted, replicas_dropped, peers_removed } = self;
        write!(
            f,
            "{transfers_started} transfers started, {transfers_aborted} ended, {replicas_dropped} replicas dropped, \
             {peers_removed} peers taken out"
        )
    }
}
