//! What scaler and signals share of Kubernetes: a thin client of its API, and pods.

mod cluster;
mod failure;
mod pod;
mod pod_costs;
mod quantity;
mod resource;
mod wire;

pub use cluster::KubernetesCluster;
pub(crate) use pod::Pod;
pub use pod_costs::{PodCostReport, PodCosts};
pub(crate) use quantity::quantity;
pub(crate) use resource::{Request, Resource, check_name};
