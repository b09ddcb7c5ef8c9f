//! Why a goal cannot be reached.

use std::fmt;

use super::{PeerId, ReplicaState};

/// Why a goal, or a part of it, cannot be reached as things are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// A shard should have more replicas than there are peers to hold them.
    TooFewPeers {
        /// The collection.
        collection: String,
        /// The shard.
        shard: u32,
        /// So many replicas are wanted.
        wanted: usize,
        /// So many peers can hold one.
        peers: usize,
    },
    /// No replica of a shard serves, so that there is nothing to copy from.
    NoSource {
        /// The collection.
        collection: String,
        /// The shard.
        shard: u32,
    },
    /// A shard stays where it is because one of its replicas does not serve.
    NotServing {
        /// The collection.
        collection: String,
        /// The shard.
        shard: u32,
        /// The peer that holds the replica.
        peer: PeerId,
        /// The replica's state.
        state: ReplicaState,
    },
    /// The number of a collection's shards is being changed.
    Resharding {
        /// The collection.
        collection: String,
    },
    /// The peer that answers is one that should leave.
    AskedPeerLeaves(PeerId),
    /// No peer that is reached would stay.
    NoPeerStays,
    /// The cluster is larger than this planner takes on.
    TooLarge {
        /// Shards times peers.
        places: usize,
        /// The most.
        places_max: usize,
    },
}

impl Obstacle {
    /// What a person does about it, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::TooFewPeers { .. } => "add peers, or lower the collection's replication factor and repeat",
            Self::NoSource { .. } => "bring a peer with this shard back, or restore it from a snapshot",
            Self::NotServing { .. } => "bring its peer back or repair replication first",
            Self::Resharding { .. } => "let resharding end, or abort it",
            Self::AskedPeerLeaves(_) => "name the URL of a peer that stays",
            Self::NoPeerStays => "add peers, or let fewer leave",
            Self::TooLarge { .. } => "split the collections over several clusters",
        }
    }

    /// What is in the way, without what to do about it.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::TooFewPeers { collection, shard, wanted, peers } => {
                format!(
                    "shard {shard} of {collection:?} wants {wanted} replicas and {peers} peers can hold one"
                )
            }
            Self::NoSource { collection, shard } => {
                format!("no replica of shard {shard} of {collection:?} serves")
            }
            Self::NotServing { collection, shard, peer, state } => {
                format!(
                    "the replica of shard {shard} of {collection:?} on peer {peer}, {state}, does not serve"
                )
            }
            Self::Resharding { collection } => format!("{collection:?} is being resharded"),
            Self::AskedPeerLeaves(peer) => format!("peer {peer}, which answers, should leave"),
            Self::NoPeerStays => "no peer that is reached would stay".to_owned(),
            Self::TooLarge { places, places_max } => {
                format!("shards times peers are {places}, more than {places_max}")
            }
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what(), self.remedy())
    }
}
