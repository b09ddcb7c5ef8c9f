//! Targets in a Kubernetes cluster.

use super::HttpOptions;

/// The pods of a Kubernetes cluster, a target for each port of each container.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct KubernetesDiscoveryConfig {
    /// The API server's URL; that of the cluster in which this process runs if there is none.
    pub api_server: Option<String>,
    /// The namespaces whose pods are targets; all if there is none.
    pub namespaces: Vec<String>,
    /// Whether the namespace in which this process runs is one of them.
    pub own_namespace: bool,
    /// What pods' labels must be, as `kubectl --selector` takes it.
    pub label_selector: Option<String>,
    /// What pods' fields must be, as `kubectl --field-selector` takes it.
    pub field_selector: Option<String>,
    /// How the API server is asked.
    pub http: HttpOptions,
}
