//! A cluster over HTTP.

mod client;
mod failure;
mod look;
mod options;
mod qdrant_cluster;
mod report;
mod watch;
mod wire;

pub use options::QdrantOptions;
pub use qdrant_cluster::QdrantCluster;
pub use report::QdrantReport;
