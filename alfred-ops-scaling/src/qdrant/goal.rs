//! What a cluster should become.

use std::collections::BTreeSet;
use std::fmt;

use super::PeerId;

/// What a cluster should become.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Goal {
    /// Replicas are spread evenly, those of each collection and all together: no two peers differ by more
    /// than one. It is also what makes new, empty peers useful after growth. How many replicas a shard has
    /// stays as it is, and shards with a replica that does not serve stay where they are: repair first.
    Rebalance,
    /// These peers hold nothing and are out of the cluster. What they hold goes where it spreads best; what
    /// others hold stays where it is. Peers that are not in the cluster count as gone.
    Drain(BTreeSet<PeerId>),
    /// Every shard has its replication factor in serving replicas, and dead replicas are gone. A dead replica
    /// on a peer that is reached is filled again where it is. A peer that is not reached counts as lost: give it
    /// time to come back before.
    Repair,
}

impl Goal {
    /// Takes these peers out of the cluster.
    #[must_use]
    pub fn drain(peers: impl IntoIterator<Item = PeerId>) -> Self {
        Self::Drain(peers.into_iter().collect())
    }

    /// Whether a peer has to leave.
    pub(super) fn takes_out(&self, peer: PeerId) -> bool {
        matches!(self, Self::Drain(leaving) if leaving.contains(&peer))
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rebalance => f.write_str("rebalance"),
            Self::Repair => f.write_str("repair replication"),
            Self::Drain(peers) => {
                let peers: Vec<String> = peers.iter().map(PeerId::to_string).collect();
                write!(f, "drain peers {}", peers.join(", "))
            }
        }
    }
}
