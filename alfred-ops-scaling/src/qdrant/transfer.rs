//! Transfers that are under way.

use super::PeerId;

/// A replica on its way from one peer to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// The shard.
    pub shard: u32,
    /// The peer that sends.
    pub from: PeerId,
    /// The peer that receives.
    pub to: PeerId,
    /// Whether the sender keeps its replica: a replication. Otherwise it is a move.
    pub sync: bool,
    /// Whether whoever looked has seen no progress for too long. A single look cannot tell.
    pub stalled: bool,
    /// What the sender says of its progress, if anything.
    pub comment: String,
}
