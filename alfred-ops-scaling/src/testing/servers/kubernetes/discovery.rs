//! The documents that say what the server knows.

use serde_json::{Value, json};

use super::kind::KINDS;

/// The document at a path, if there is one.
pub(super) fn document(path: &[&str]) -> Option<Value> {
    match path {
        ["version"] => Some(json!({
            "major": "1", "minor": "33", "gitVersion": "v1.33.0", "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "2025-04-23T00:00:00Z", "goVersion": "go1.24.2", "compiler": "gc", "platform": "linux/amd64",
        })),
        ["api"] => Some(json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [],
        })),
        ["apis"] => Some(json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups() })),
        ["apis", group] => groups().into_iter().find(|found| found["name"] == *group),
        // Whatever namespace is asked for is there.
        ["api", "v1", "namespaces", name] => Some(json!({
            "kind": "Namespace", "apiVersion": "v1", "metadata": { "name": name, "uid": name, "resourceVersion": "1" },
            "spec": {}, "status": { "phase": "Active" },
        })),
        ["api", version] => resources("", version),
        ["apis", group, version] => resources(group, version),
        _ => None,
    }
}

fn groups() -> Vec<Value> {
    let mut groups: Vec<Value> = Vec::new();
    for kind in KINDS.iter().filter(|kind| !kind.group.is_empty()) {
        let version = json!({ "groupVersion": kind.api_version(), "version": kind.version });
        let group = json!({
            "kind": "APIGroup", "apiVersion": "v1", "name": kind.group,
            "versions": [version], "preferredVersion": version,
        });
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

fn resources(group: &str, version: &str) -> Option<Value> {
    let found: Vec<_> = KINDS.iter().filter(|kind| kind.group == group && kind.version == version).collect();
    let first = found.first()?;
    let resources: Vec<Value> = found.iter().flat_map(|kind| kind.resources()).collect();
    Some(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": first.api_version(), "resources": resources,
    }))
}
