//! A cluster over HTTP.

mod client;
mod failure;
mod look;
mod options;
mod qdrant_cluster;
mod report;
mod upkeep;
mod watch;
mod wire;

pub use options::QdrantOptions;
pub use qdrant_cluster::QdrantCluster;
pub use report::QdrantReport;
pub use upkeep::QdrantUpkeep;
