//! Targets in a Kubernetes cluster.

mod kubernetes_discovery;
mod pod;
mod pod_group;

pub use kubernetes_discovery::KubernetesDiscovery;

#[cfg(test)]
mod tests;
