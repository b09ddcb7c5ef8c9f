//! A cluster at one moment.

use std::collections::BTreeMap;

use super::{ReplicaState, Transfer};

/// A peer's id, as the cluster gives it.
pub type PeerId = u64;

/// What is known of a cluster at one moment: facts, as one peer tells them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterView {
    /// The peer that told. It cannot leave while it is the one asked. `None` where nobody was asked.
    pub asked: Option<PeerId>,
    /// All peers.
    pub peers: BTreeMap<PeerId, Peer>,
    /// All collections by name.
    pub collections: BTreeMap<String, Collection>,
}

/// A peer of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peer {
    /// Where the other peers reach it.
    pub uri: String,
    /// Whether they do.
    pub state: PeerState,
}

/// Whether the others reach a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PeerState {
    /// As far as known.
    #[default]
    Reachable,
    /// The peer that was asked fails to send to it.
    Unreachable,
}

/// A collection and where its shards are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Collection {
    /// How many replicas each shard should have. The server makes none by itself when this is raised.
    pub replication_factor: u32,
    /// How many replicas must confirm a write.
    pub write_consistency_factor: u32,
    /// The shards by id.
    pub shards: BTreeMap<u32, Shard>,
    /// The transfers that are under way.
    pub transfers: Vec<Transfer>,
    /// Whether the number of shards is being changed. Such a collection is left alone.
    pub resharding: bool,
}

/// A shard's replicas: no more than one on a peer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shard {
    /// The state of the replica on each peer that has one.
    pub replicas: BTreeMap<PeerId, ReplicaState>,
}

impl ClusterView {
    /// Whether a peer is there and reached.
    #[must_use]
    pub fn is_reachable(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|peer| peer.state == PeerState::Reachable)
    }

    /// How many replicas of a shard serve: those that are active on a peer that is reached.
    #[must_use]
    pub fn serving(&self, shard: &Shard) -> usize {
        shard.replicas.iter().filter(|(peer, state)| state.is_active() && self.is_reachable(**peer)).count()
    }

    /// Whether a peer holds replicas, in whatever state.
    #[must_use]
    pub fn holds_replicas(&self, peer: PeerId) -> bool {
        let mut shards = self.collections.values().flat_map(|collection| collection.shards.values());
        shards.any(|shard| shard.replicas.contains_key(&peer))
    }

    /// The transfers that a peer sends or receives, of all collections.
    #[must_use]
    pub fn transfers_of(&self, peer: PeerId) -> usize {
        self.transfers().filter(|transfer| transfer.from == peer || transfer.to == peer).count()
    }

    /// All transfers that are under way.
    pub fn transfers(&self) -> impl Iterator<Item = &Transfer> {
        self.collections.values().flat_map(|collection| &collection.transfers)
    }
}

impl Collection {
    /// The fewest serving replicas that a shard may be left with, provided that it has so many: enough for the
    /// replication factor and for a write to be confirmed, and never none.
    #[must_use]
    pub fn floor(&self) -> usize {
        let floor = self.replication_factor.max(self.write_consistency_factor).max(1);
        usize::try_from(floor).unwrap_or(usize::MAX)
    }

    /// The transfer that a replica takes part in.
    #[must_use]
    pub fn transfer_with(&self, shard: u32, peer: PeerId) -> Option<&Transfer> {
        self.transfers
            .iter()
            .find(|transfer| transfer.shard == shard && (transfer.from == peer || transfer.to == peer))
    }
}
