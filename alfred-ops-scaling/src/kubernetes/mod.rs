//! What scaler, signals and rollouts share of Kubernetes: a thin client of its API, and pods.

mod cluster;
mod failure;
mod objects;
mod pod;
mod pod_costs;
mod quantity;
mod resource;
mod wire;

pub use cluster::KubernetesCluster;
pub use objects::KubernetesObjects;
pub(crate) use pod::Pod;
pub use pod_costs::{PodCostReport, PodCosts};
pub(crate) use quantity::quantity;
pub(crate) use resource::{Request, Resource, check_name};
