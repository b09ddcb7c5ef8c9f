//! What can be done to a cluster.

use std::fmt;

use super::{ClusterView, PeerId};

/// One thing to do to a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Has a replica go from one peer to another; the sender serves until the receiver does.
    MoveShard(Route),
    /// Has a peer send a copy of its replica to another. A dead replica there is filled again.
    ReplicateShard(Route),
    /// Ends a transfer without its replica.
    AbortTransfer(Route),
    /// Throws a replica away.
    DropReplica {
        /// The collection.
        collection: String,
        /// The shard.
        shard: u32,
        /// The peer that holds the replica.
        peer: PeerId,
        /// Whether it is one that serves. If it has come to serve meanwhile, it is not dropped.
        active: bool,
    },
    /// Takes a peer that holds nothing out of the cluster.
    RemovePeer {
        /// The peer.
        peer: PeerId,
    },
    /// Does nothing until a replica is in another state: the server is at it.
    Wait {
        /// The collection.
        collection: String,
        /// The shard.
        shard: u32,
        /// The peer that holds, or receives, the replica.
        peer: PeerId,
    },
}

/// A shard's way from one peer to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The collection.
    pub collection: String,
    /// The shard.
    pub shard: u32,
    /// The peer that sends.
    pub from: PeerId,
    /// The peer that receives.
    pub to: PeerId,
}

impl Action {
    /// The route, if this starts a transfer.
    #[must_use]
    pub fn transfer(&self) -> Option<&Route> {
        match self {
            Self::MoveShard(route) | Self::ReplicateShard(route) => Some(route),
            _ => None,
        }
    }

    /// The collection that it is about.
    #[must_use]
    pub fn collection(&self) -> Option<&str> {
        match self {
            Self::MoveShard(route) | Self::ReplicateShard(route) | Self::AbortTransfer(route) => {
                Some(&route.collection)
            }
            Self::DropReplica { collection, .. } | Self::Wait { collection, .. } => Some(collection),
            Self::RemovePeer { .. } => None,
        }
    }

    /// Whether what is known now still allows it. It never does where the action could leave a shard with
    /// fewer serving replicas than its [floor](super::Collection::floor), or a peer with two of one shard.
    #[must_use]
    pub fn is_allowed(&self, view: &ClusterView) -> bool {
        let found = |name: &str, shard: u32| {
            let collection = view.collections.get(name)?;
            Some((collection, collection.shards.get(&shard)?))
        };
        match self {
            Self::MoveShard(route) | Self::ReplicateShard(route) => {
                let Some((collection, shard)) = found(&route.collection, route.shard) else { return false };
                let target = shard.replicas.get(&route.to);
                let free = match self {
                    Self::MoveShard(_) => target.is_none(),
                    // To fill a replica that serves would stop it from serving.
                    _ => target.is_none_or(|state| *state == super::ReplicaState::Dead),
                };
                let sends = shard.replicas.get(&route.from).is_some_and(|state| state.is_active());
                let busy = |peer| collection.transfer_with(route.shard, peer).is_some();
                free && sends
                    && !collection.resharding
                    && !busy(route.from)
                    && !busy(route.to)
                    && view.is_reachable(route.from)
                    && view.is_reachable(route.to)
            }
            Self::AbortTransfer(route) => {
                found(&route.collection, route.shard).is_some_and(|(collection, _)| {
                    collection.transfers.iter().any(|transfer| {
                        (transfer.shard, transfer.from, transfer.to) == (route.shard, route.from, route.to)
                    })
                })
            }
            Self::DropReplica { collection, shard, peer, active } => {
                let Some((collection, shard_found)) = found(collection, *shard) else { return false };
                let Some(state) = shard_found.replicas.get(peer) else { return false };
                let serving = view.serving(shard_found);
                let left = serving - usize::from(state.is_active() && view.is_reachable(*peer));
                let enough = left >= if left < serving { collection.floor() } else { 1 };
                let untouched = collection.transfer_with(*shard, *peer).is_none();
                let expected = *active || !(state.is_active() && view.is_reachable(*peer));
                enough && untouched && expected && !collection.resharding
            }
            Self::RemovePeer { peer } => view.peers.contains_key(peer) && !view.holds_replicas(*peer),
            Self::Wait { .. } => true,
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {} of {:?} from peer {} to peer {}", self.shard, self.collection, self.from, self.to)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MoveShard(route) => write!(f, "move {route}"),
            Self::ReplicateShard(route) => write!(f, "replicate {route}"),
            Self::AbortTransfer(route) => write!(f, "abort the transfer of {route}"),
            Self::DropReplica { collection, shard, peer, .. } => {
                write!(f, "drop the replica of shard {shard} of {collection:?} on peer {peer}")
            }
            Self::RemovePeer { peer } => write!(f, "remove peer {peer}"),
            Self::Wait { collection, shard, peer } => {
                write!(f, "wait for the replica of shard {shard} of {collection:?} on peer {peer}")
            }
        }
    }
}
