//! What a run has done.

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
