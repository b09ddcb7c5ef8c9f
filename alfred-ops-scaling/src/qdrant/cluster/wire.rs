//! The forms of Qdrant's REST API, as far as needed here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::qdrant::{Action, Collection, PeerId, ReplicaState, Route, Transfer};

/// Every answer that is a success.
#[derive(Debug, Deserialize)]
pub(super) struct Answer<T> {
    pub(super) result: T,
}

/// Every answer that is none.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) status: RefusalStatus,
}

#[derive(Debug, Deserialize)]
pub(super) struct RefusalStatus {
    pub(super) error: String,
}

/// `GET /cluster`.
#[derive(Debug, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum ClusterStatus {
    Disabled,
    Enabled(ClusterInfo),
}

#[derive(Debug, Deserialize)]
pub(super) struct ClusterInfo {
    pub(super) peer_id: PeerId,
    pub(super) peers: BTreeMap<String, PeerInfo>,
    pub(super) raft_info: RaftInfo,
    #[serde(default)]
    pub(super) message_send_failures: BTreeMap<String, serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PeerInfo {
    pub(super) uri: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct RaftInfo {
    pub(super) leader: Option<PeerId>,
}

/// `GET /collections`.
#[derive(Debug, Deserialize)]
pub(super) struct Collections {
    pub(super) collections: Vec<CollectionName>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CollectionName {
    pub(super) name: String,
}

/// `GET /collections/{collection}`.
#[derive(Debug, Deserialize)]
pub(super) struct CollectionInfo {
    pub(super) config: CollectionConfig,
}

#[derive(Debug, Deserialize)]
pub(super) struct CollectionConfig {
    pub(super) params: CollectionParams,
}

#[derive(Debug, Deserialize)]
pub(super) struct CollectionParams {
    #[serde(default = "one")]
    pub(super) replication_factor: u32,
    #[serde(default = "one")]
    pub(super) write_consistency_factor: u32,
}

fn one() -> u32 {
    1
}

/// `GET /collections/{collection}/cluster`.
#[derive(Debug, Deserialize)]
pub(super) struct CollectionCluster {
    peer_id: PeerId,
    local_shards: Vec<LocalShard>,
    remote_shards: Vec<RemoteShard>,
    shard_transfers: Vec<ShardTransfer>,
    #[serde(default)]
    resharding_operations: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Debug, Deserialize)]
struct LocalShard {
    shard_id: u32,
    state: String,
}

#[derive(Debug, Deserialize)]
struct RemoteShard {
    shard_id: u32,
    peer_id: PeerId,
    state: String,
}

#[derive(Debug, Deserialize)]
struct ShardTransfer {
    shard_id: u32,
    from: PeerId,
    to: PeerId,
    sync: bool,
    #[serde(default)]
    comment: Option<String>,
}

impl CollectionCluster {
    /// Takes over where the replicas are; the factors come from elsewhere.
    pub(super) fn fill(self, collection: &mut Collection) {
        collection.shards.clear();
        let local = self.local_shards.into_iter().map(|shard| (shard.shard_id, self.peer_id, shard.state));
        let remote = self.remote_shards.into_iter().map(|shard| (shard.shard_id, shard.peer_id, shard.state));
        for (shard, peer, state) in local.chain(remote) {
            let shard = collection.shards.entry(shard).or_default();
            shard.replicas.insert(peer, ReplicaState::named(&state));
        }
        let transfers = self.shard_transfers.into_iter().map(|transfer| Transfer {
            shard: transfer.shard_id,
            from: transfer.from,
            to: transfer.to,
            sync: transfer.sync,
            stalled: false,
            comment: transfer.comment.unwrap_or_default(),
        });
        collection.transfers = transfers.collect();
        collection.resharding = self.resharding_operations.is_some_and(|operations| !operations.is_empty());
    }
}

/// `POST /collections/{collection}/cluster`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Operation {
    MoveShard(Ends),
    ReplicateShard(Ends),
    AbortTransfer(Ends),
    DropReplica(Replica),
}

#[derive(Debug, Serialize)]
pub(super) struct Ends {
    shard_id: u32,
    from_peer_id: PeerId,
    to_peer_id: PeerId,
}

#[derive(Debug, Serialize)]
pub(super) struct Replica {
    shard_id: u32,
    peer_id: PeerId,
}

impl Operation {
    /// What to post for an action, if it is one on a collection.
    pub(super) fn of(action: &Action) -> Option<Self> {
        let ends =
            |route: &Route| Ends { shard_id: route.shard, from_peer_id: route.from, to_peer_id: route.to };
        match action {
            Action::MoveShard(route) => Some(Self::MoveShard(ends(route))),
            Action::ReplicateShard(route) => Some(Self::ReplicateShard(ends(route))),
            Action::AbortTransfer(route) => Some(Self::AbortTransfer(ends(route))),
            Action::DropReplica { shard, peer, .. } => {
                Some(Self::DropReplica(Replica { shard_id: *shard, peer_id: *peer }))
            }
            Action::RemovePeer { .. } | Action::Wait { .. } => None,
        }
    }
}
