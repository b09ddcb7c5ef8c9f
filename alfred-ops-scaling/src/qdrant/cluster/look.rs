//! One look at a cluster.

use alfred_ops_core::{Error, ErrorKind, Result};
use reqwest::Url;

use super::client::Client;
use super::wire::{ClusterInfo, ClusterStatus, CollectionCluster, CollectionInfo, Collections};
use crate::qdrant::{ClusterView, Collection, Goal, Peer, PeerState};

/// Collections beyond this are a mistake, or need another tool.
const COLLECTIONS_MAX: usize = 10_000;

/// One look at a cluster: what a peer told, and where that peer is.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) base: Url,
    pub(super) view: ClusterView,
}

impl Look {
    /// Looks at the whole cluster. Collections are read one after the other, so that what is seen of two of them
    /// need not be of one moment.
    pub(super) async fn take(client: &Client, bases: &[Url], goal: Option<&Goal>) -> Result<Self> {
        let (base, info) = choose(client, bases, goal).await?;
        let mut view = ClusterView { asked: Some(info.peer_id), ..ClusterView::default() };
        for (id, peer) in info.peers {
            let id = id.parse().map_err(|_| {
                Error::new(
                    ErrorKind::Unsupported,
                    "look at cluster",
                    format!("peers: {id:?} is no peer's id"),
                )
            })?;
            let away = info.message_send_failures.contains_key(&peer.uri);
            let state = if away { PeerState::Unreachable } else { PeerState::Reachable };
            view.peers.insert(id, Peer { uri: peer.uri, state });
        }
        let found: Collections = client.get("list collections", base, &["collections"]).await?;
        if found.collections.len() > COLLECTIONS_MAX {
            let what = format!("there are more than {COLLECTIONS_MAX} collections");
            return Err(Error::new(ErrorKind::ResourceExhausted, "list collections", what));
        }
        let mut look = Self { base: base.clone(), view };
        for collection in found.collections {
            let path = ["collections", collection.name.as_str()];
            let read = client.get::<CollectionInfo>("look at collection", base, &path).await;
            let info = match read {
                Ok(info) => info,
                // It was deleted meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let params = info.config.params;
            let facts = Collection {
                replication_factor: params.replication_factor,
                write_consistency_factor: params.write_consistency_factor,
                ..Collection::default()
            };
            look.view.collections.insert(collection.name.clone(), facts);
            look.refresh(client, &collection.name).await?;
        }
        Ok(look)
    }

    /// Looks again at one collection's replicas and transfers.
    pub(super) async fn refresh(&mut self, client: &Client, name: &str) -> Result<()> {
        let path = ["collections", name, "cluster"];
        let read = client.get::<CollectionCluster>("look at collection", &self.base, &path).await;
        match read {
            Ok(cluster) => {
                if let Some(collection) = self.view.collections.get_mut(name) {
                    cluster.fill(collection);
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.view.collections.remove(name);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// The leader, if its URL is known; else the first peer that answers and need not leave.
async fn choose<'a>(
    client: &Client,
    bases: &'a [Url],
    goal: Option<&Goal>,
) -> Result<(&'a Url, ClusterInfo)> {
    let mut best: Option<(&Url, ClusterInfo)> = None;
    let mut failure = None;
    let leaves = |info: &ClusterInfo| goal.is_some_and(|goal| goal.takes_out(info.peer_id));
    for base in bases {
        match client.get::<ClusterStatus>("look at cluster", base, &["cluster"]).await {
            Ok(ClusterStatus::Enabled(info)) => {
                if info.raft_info.leader == Some(info.peer_id) && !leaves(&info) {
                    return Ok((base, info));
                }
                if best.as_ref().is_none_or(|(_, known)| leaves(known) && !leaves(&info)) {
                    best = Some((base, info));
                }
            }
            Ok(ClusterStatus::Disabled) => {
                let what = "the server runs by itself, without a cluster";
                failure = Some(
                    Error::new(ErrorKind::Unsupported, "look at cluster", what)
                        .with_target(base.as_str())
                        .with_remedy("set cluster.enabled in its configuration"),
                );
            }
            Err(error) => failure = Some(error),
        }
    }
    best.ok_or_else(|| {
        failure
            .unwrap_or_else(|| Error::new(ErrorKind::InvalidInput, "look at cluster", "urls: there is none"))
    })
}
