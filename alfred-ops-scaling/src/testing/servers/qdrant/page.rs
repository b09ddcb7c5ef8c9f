//! What a peer answers, in JSON.

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::state::{State, key};
use crate::qdrant::{PeerId, Route};

/// `GET /cluster`. Only the leader keeps sending to all, and so alone knows who is away.
pub(super) fn cluster(state: &State, asked: PeerId) -> Value {
    let leader = state.leader();
    let peers: Map<String, Value> =
        state.view.peers.iter().map(|(id, peer)| (id.to_string(), json!({ "uri": peer.uri }))).collect();
    let away = state.view.peers.iter().filter(|(id, _)| leader == Some(asked) && !state.lives(**id));
    let failures: Map<String, Value> = away
        .map(|(_, peer)| (peer.uri.clone(), json!({ "count": 3, "latest_error": "connection refused" })))
        .collect();
    json!({
        "status": "enabled",
        "peer_id": asked,
        "peers": peers,
        "raft_info": {
            "term": 1,
            "commit": 1,
            "pending_operations": 0,
            "leader": leader,
            "role": if leader == Some(asked) { "Leader" } else { "Follower" },
            "is_voter": true,
        },
        "consensus_thread_status": {
            "consensus_thread_status": "working",
            "last_update": "2026-01-01T00:00:00Z",
        },
        "message_send_failures": failures,
    })
}

/// `GET /collections`.
pub(super) fn collections(state: &State) -> Value {
    let names: Vec<Value> = state.view.collections.keys().map(|name| json!({ "name": name })).collect();
    json!({ "collections": names })
}

/// `GET /collections/{name}`.
pub(super) fn collection(state: &State, name: &str) -> Result<Value, Refusal> {
    let collection = state.collection(name)?;
    Ok(json!({
        "status": "green",
        "optimizer_status": "ok",
        "points_count": 0,
        "segments_count": 1,
        "config": {
            "params": {
                "vectors": { "size": 4, "distance": "Dot" },
                "shard_number": collection.shards.len(),
                "replication_factor": collection.replication_factor,
                "write_consistency_factor": collection.write_consistency_factor,
                "on_disk_payload": true,
            },
            "hnsw_config": { "m": 16, "ef_construct": 100, "full_scan_threshold": 10_000 },
            "optimizer_config": {
                "deleted_threshold": 0.2,
                "vacuum_min_vector_number": 1000,
                "default_segment_number": 0,
                "flush_interval_sec": 5,
            },
            "wal_config": { "wal_capacity_mb": 32, "wal_segments_ahead": 0 },
        },
        "payload_schema": {},
    }))
}

/// `GET /collections/{name}/cluster`: the same facts, told apart by whose they are.
pub(super) fn collection_cluster(state: &State, asked: PeerId, name: &str) -> Result<Value, Refusal> {
    let collection = state.collection(name)?;
    let (mut local, mut remote) = (Vec::new(), Vec::new());
    for (id, shard) in &collection.shards {
        for (peer, replica) in &shard.replicas {
            if *peer == asked {
                local.push(json!({ "shard_id": id, "points_count": 0, "state": replica.name() }));
            } else {
                remote.push(json!({ "shard_id": id, "peer_id": peer, "state": replica.name() }));
            }
        }
    }
    let transfers: Vec<Value> = collection
        .transfers
        .iter()
        .map(|transfer| {
            let (shard, from, to) = (transfer.shard, transfer.from, transfer.to);
            let work = state.work.get(&key(&Route { collection: name.to_owned(), shard, from, to }));
            let mut told = json!({
                "shard_id": shard,
                "from": from,
                "to": to,
                "sync": transfer.sync,
                "method": "stream_records",
            });
            // Only the sender knows how far it is.
            if let Some(work) = work.filter(|_| asked == from) {
                told["comment"] = json!(format!("Transferring records ({}/{})", work.done, state.steps));
            }
            told
        })
        .collect();
    Ok(json!({
        "peer_id": asked,
        "shard_count": collection.shards.len(),
        "local_shards": local,
        "remote_shards": remote,
        "shard_transfers": transfers,
    }))
}
