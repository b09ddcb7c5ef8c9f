//! `opsctl qdrant` as a person runs it.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::process::{Command, Output};

use alfred_ops_core::blocking;
use alfred_ops_scaling::qdrant::{ClusterView, Collection, Peer, PeerId, ReplicaState, Shard};
use alfred_ops_scaling::testing::servers::QdrantServer;

/// Three peers, the last of which is empty.
fn cluster() -> ClusterView {
    let peer = |id: PeerId| (id, Peer { uri: format!("http://qdrant-{id}:6335/"), ..Peer::default() });
    let mut view = ClusterView { peers: (1..=3).map(peer).collect(), ..ClusterView::default() };
    let mut docs = Collection { replication_factor: 1, write_consistency_factor: 1, ..Collection::default() };
    for shard in 0..6 {
        let replicas = [(PeerId::from(shard % 2 + 1), ReplicaState::Active)].into_iter().collect();
        docs.shards.insert(shard, Shard { replicas });
    }
    view.collections.insert("docs".to_owned(), docs);
    view
}

async fn qdrant(server: &QdrantServer, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opsctl"));
    command.arg("qdrant").args(arguments).env("ALFRED_OPS_QDRANT", server.endpoints().join(","));
    blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_plan_is_shown_carried_out_and_then_there_is_nothing() {
    let server = QdrantServer::start(cluster()).await.unwrap();
    server.finish_after(1);
    let before = server.view();
    let output = qdrant(&server, &["plan", "--rebalance", "--json"]).await;
    assert!(output.status.success(), "{output:?}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["steps"].as_array().unwrap().len(), 2, "{json}");
    assert_eq!(server.view(), before, "a plan changes nothing");

    let output = qdrant(&server, &["run", "--rebalance"]).await;
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("2 transfers started"), "{text}");
    let output = qdrant(&server, &["run", "--drain", "3"]).await;
    assert!(String::from_utf8(output.stdout).unwrap().contains("1 peers taken out"));
    assert_eq!(server.view().peers.len(), 2);
    assert_eq!(server.violations(), Vec::<String>::new());

    let output = qdrant(&server, &["plan"]).await;
    assert!(String::from_utf8(output.stderr).unwrap().contains("--rebalance"), "a goal must be named");
    server.stop().await;
}
