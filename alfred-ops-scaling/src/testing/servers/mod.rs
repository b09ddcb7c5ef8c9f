//! Servers for tests and demonstrations, in this process, on free loopback ports.

mod api_error;
mod cloud_run_kind;
mod cloud_run_listing;
mod cloud_run_revision;
mod cloud_run_server;
mod cloud_run_service;
mod cloud_run_split;
mod cloud_run_state;
mod enums;
mod fault;
mod kubernetes;
mod qdrant;

pub use cloud_run_server::CloudRunServer;
pub use fault::Fault;
pub use kubernetes::KubernetesServer;
pub use qdrant::{QdrantChaos, QdrantServer};
