//! Qdrant's own Python client against the cluster that the other tests rely on.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use alfred_ops_core::blocking;
use alfred_ops_core::testing::Python;
use alfred_ops_scaling::qdrant::{
    ClusterView, Collection, Peer, QdrantCluster, QdrantOptions, ReplicaState, Shard,
};
use alfred_ops_scaling::testing::servers::QdrantServer;

/// The client that the server was written against; a newer one is a decision.
const CLIENT: &str = "qdrant-client==1.20.0";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/check_qdrant.py");

#[tokio::test]
async fn qdrants_python_client_finds_what_qdrant_documents() {
    let mut view = ClusterView::default();
    for peer in 1..=3 {
        view.peers.insert(peer, Peer { uri: format!("http://qdrant-{peer}:6335/"), ..Peer::default() });
    }
    let mut docs = Collection { replication_factor: 2, write_consistency_factor: 1, ..Collection::default() };
    for shard in 0..2 {
        let replicas = [(1, ReplicaState::Active), (2, ReplicaState::Active)].into();
        docs.shards.insert(shard, Shard { replicas });
    }
    view.collections.insert("docs".to_owned(), docs);
    let server = QdrantServer::start(view).await.unwrap();

    let endpoint = server.endpoint(1);
    let python = || Python::with(env!("CARGO_TARGET_TMPDIR"), &[CLIENT]);
    let printed = blocking(move || python().script(SCRIPT, &[&endpoint])).await.unwrap();
    assert_eq!(printed.trim(), "5 checks passed");
    let cluster = QdrantCluster::new(QdrantOptions::new([server.endpoint(2)])).unwrap();
    let seen = cluster.view().await.unwrap();
    assert_eq!(seen.collections, server.view().collections, "both clients see one cluster");
    assert_eq!(seen.peers.keys().copied().collect::<Vec<_>>(), [1, 2], "the third was taken out");
    assert!(server.violations().is_empty());
    server.stop().await;
}
