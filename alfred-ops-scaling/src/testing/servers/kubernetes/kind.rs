//! The kinds of objects that the server knows.

use serde_json::{Value, json};

/// A kind of objects. All are in namespaces.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) plural: &'static str,
    pub(super) singular: &'static str,
    pub(super) name: &'static str,
    short: &'static str,
    /// Whether it has a scale subresource, and pods.
    pub(super) scales: bool,
    /// Whether it is built in: others are defined by a custom resource.
    pub(super) built_in: bool,
}

const fn kind(
    (group, version): (&'static str, &'static str),
    (plural, singular, name, short): (&'static str, &'static str, &'static str, &'static str),
    (scales, built_in): (bool, bool),
) -> Kind {
    Kind { group, version, plural, singular, name, short, scales, built_in }
}

pub(super) static KINDS: [Kind; 9] = [
    kind(("", "v1"), ("pods", "pod", "Pod", "po"), (false, true)),
    kind(("", "v1"), ("services", "service", "Service", "svc"), (false, true)),
    kind(("", "v1"), ("configmaps", "configmap", "ConfigMap", "cm"), (false, true)),
    kind(("apps", "v1"), ("deployments", "deployment", "Deployment", "deploy"), (true, true)),
    kind(("apps", "v1"), ("replicasets", "replicaset", "ReplicaSet", "rs"), (true, true)),
    kind(("apps", "v1"), ("statefulsets", "statefulset", "StatefulSet", "sts"), (true, true)),
    kind(
        ("autoscaling", "v2"),
        ("horizontalpodautoscalers", "horizontalpodautoscaler", "HorizontalPodAutoscaler", "hpa"),
        (false, true),
    ),
    kind(("metrics.k8s.io", "v1beta1"), ("pods", "", "PodMetrics", ""), (false, true)),
    kind(("alfred-ai.com", "v1"), ("agentpools", "agentpool", "AgentPool", "ap"), (true, false)),
];

impl Kind {
    pub(super) fn of(group: &str, version: &str, plural: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
    }

    pub(super) fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    pub(super) fn pods() -> Option<&'static Self> {
        Self::named("Pod")
    }

    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// As messages name it: `deployments.apps`.
    pub(super) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Its lines in a discovery document.
    pub(super) fn resources(&self) -> Vec<Value> {
        let verbs: &[&str] = if self.name == "PodMetrics" {
            &["get", "list"]
        } else {
            &["create", "delete", "get", "list", "patch", "update", "watch"]
        };
        let short: Vec<&str> = Some(self.short).filter(|short| !short.is_empty()).into_iter().collect();
        let mut lines = vec![json!({
            "name": self.plural, "singularName": self.singular, "namespaced": true, "kind": self.name,
            "verbs": verbs, "shortNames": short,
        })];
        if self.scales {
            lines.push(json!({
                "name": format!("{}/scale", self.plural), "singularName": "", "namespaced": true,
                "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"],
            }));
        }
        lines
    }
}
