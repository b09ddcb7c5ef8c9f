//! Clusters of Qdrant: who holds what, and how that changes without a shard ever serving from too few replicas.
//!
//! [`plan`] is pure: from a [`ClusterView`] and a [`Goal`] it makes a [`Plan`], within [`Limits`]. With feature
//! `qdrant`, `QdrantCluster` reads the view from a cluster and carries plans out.
//!
//! ```
//! use alfred_ops_scaling::qdrant::{ClusterView, Collection, Goal, Limits, Peer, ReplicaState, Shard, plan};
//!
//! let mut view = ClusterView::default();
//! view.peers = (1..=3).map(|peer| (peer, Peer::default())).collect(); // Peer 3 is new.
//! let mut docs = Collection { replication_factor: 1, write_consistency_factor: 1, ..Collection::default() };
//! for shard in 0..3 {
//!     let replicas = [(1 + u64::from(shard % 2), ReplicaState::Active)].into();
//!     docs.shards.insert(shard, Shard { replicas });
//! }
//! view.collections.insert("docs".to_owned(), docs);
//!
//! let plan = plan(&view, &Goal::Rebalance, &Limits::default());
//! assert_eq!(
//!     plan.to_string(),
//!     "1. round 1: move shard 2 of \"docs\" from peer 1 to peer 3: the sender holds more than its share"
//! );
//! ```

mod action;
mod case;
#[cfg(feature = "qdrant")]
mod cluster;
mod cluster_view;
mod goal;
mod limits;
mod obstacle;
mod placement;
mod plan;
mod planner;
mod reason;
mod replica_state;
mod rounds;
mod steps;
#[cfg(test)]
mod tests;
mod transfer;

pub use action::{Action, Route};
#[cfg(feature = "qdrant")]
pub use cluster::{QdrantCluster, QdrantOptions, QdrantReport, QdrantUpkeep};
pub use cluster_view::{ClusterView, Collection, Peer, PeerId, PeerState, Shard};
pub use goal::Goal;
pub use limits::Limits;
pub use obstacle::Obstacle;
pub use plan::{Plan, Step};
pub use planner::plan;
pub use reason::Reason;
pub use replica_state::ReplicaState;
pub use transfer::Transfer;
