//! Pods, as far as they are looked at here.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::quantity;

/// A pod.
#[derive(Debug, Deserialize)]
pub(crate) struct Pod {
    pub(crate) metadata: Metadata,
    #[serde(default)]
    pub(crate) spec: Spec,
    #[serde(default)]
    pub(crate) status: Status,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) uid: String,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
    #[serde(default)]
    deletion_timestamp: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Spec {
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    node_name: String,
    /// Of the whole pod, where it says so.
    resources: Resources,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    resources: Resources,
    restart_policy: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resources {
    requests: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    phase: String,
    conditions: Vec<Condition>,
}

#[derive(Debug, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

impl Pod {
    /// Whether it does its work: it runs, is ready and is not on its way out.
    pub(crate) fn works(&self) -> bool {
        self.status.phase == "Running" && self.is_ready() && self.metadata.deletion_timestamp.is_none()
    }

    /// When the ReplicaSet controller stops it, before it looks at what it costs: first what no node has, then what does not
    /// run, what is not ready, and the others.
    pub(crate) fn deletion_rank(&self) -> u8 {
        match &*self.status.phase {
            "Pending" if self.spec.node_name.is_empty() => 0,
            "Pending" => 1,
            "Unknown" => 2,
            _ if !self.is_ready() => 3,
            _ => 4,
        }
    }

    fn is_ready(&self) -> bool {
        self.status.conditions.iter().any(|one| one.kind == "Ready" && one.status == "True")
    }

    /// Whether it is on its way out or has ended.
    pub(crate) fn is_leaving(&self) -> bool {
        self.metadata.deletion_timestamp.is_some() || matches!(&*self.status.phase, "Succeeded" | "Failed")
    }

    /// What it asks of a resource: the whole pod's request if there is one, else all that its containers and sidecars ask.
    /// None if one of them asks nothing.
    pub(crate) fn request(&self, resource: &str) -> Option<f64> {
        let asked = |of: &Resources| of.requests.get(resource).and_then(|text| quantity(text));
        if let Some(whole) = asked(&self.spec.resources) {
            return Some(whole).filter(|whole| *whole > 0.0);
        }
        let sidecars = self.spec.init_containers.iter();
        let sidecars = sidecars.filter(|one| one.restart_policy.as_deref() == Some("Always"));
        let parts = self.spec.containers.iter().chain(sidecars).map(|one| asked(&one.resources));
        parts.sum::<Option<f64>>().filter(|sum| *sum > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(spec: serde_json::Value, expected: Option<f64>) {
        let pod: Pod = serde_json::from_value(json!({ "metadata": { "name": "a" }, "spec": spec })).unwrap();
        let near = match (pod.request("cpu"), expected) {
            (Some(found), Some(expected)) => (found - expected).abs() < 1e-12,
            (found, expected) => found == expected,
        };
        assert!(near, "{spec}: {:?}", pod.request("cpu"));
    }

    #[test]
    fn a_request_is_that_of_all_parts_or_unknown() {
        let asks = |cpu: &str| json!({ "resources": { "requests": { "cpu": cpu } } });
        check(json!({ "containers": [asks("250m"), asks("1")] }), Some(1.25));
        check(json!({ "containers": [asks("250m"), {}] }), None);
        check(json!({ "containers": [] }), None);
        let mut sidecar = asks("1");
        sidecar["restartPolicy"] = json!("Always");
        check(json!({ "containers": [asks("1")], "initContainers": [sidecar, asks("5")] }), Some(2.0));
        check(json!({ "containers": [{}], "resources": { "requests": { "cpu": "3" } } }), Some(3.0));
    }
}
