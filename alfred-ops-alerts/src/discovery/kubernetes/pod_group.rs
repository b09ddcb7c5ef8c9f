//! A pod's targets. Pure.

use std::collections::BTreeMap;

use super::pod::{Container, Pod, Port};
use crate::job::TargetGroup;

type Labels = BTreeMap<String, String>;

/// The pod's targets: one for each port of each container, and one for a container without ports. A pod that
/// has no address yet has none.
pub(super) fn group(pod: &Pod) -> TargetGroup {
    let source = format!("pod/{}/{}", pod.metadata.namespace, pod.metadata.name);
    let mut targets = Vec::new();
    if !pod.status.pod_ip.is_empty() {
        let usual = pod.spec.containers.iter().map(|container| (container, false));
        let initial = pod.spec.init_containers.iter().map(|container| (container, true));
        for (container, is_initial) in usual.chain(initial) {
            container_targets(pod, container, is_initial, &mut targets);
        }
    }
    let mut group = TargetGroup::new(source, targets);
    if !pod.status.pod_ip.is_empty() {
        group.labels = pod_labels(pod);
    }
    group
}

fn pod_labels(pod: &Pod) -> Labels {
    let (metadata, status) = (&pod.metadata, &pod.status);
    let ready = status.conditions.iter().find(|condition| condition.kind == "Ready");
    let ready = ready.map_or("unknown".to_owned(), |condition| condition.status.to_ascii_lowercase());
    let mut labels = Labels::from([("__meta_kubernetes_namespace".to_owned(), metadata.namespace.clone())]);
    let mut set = |name: &str, value: &str| {
        labels.insert(format!("__meta_kubernetes_pod_{name}"), value.to_owned());
    };
    set("name", &metadata.name);
    set("ip", &status.pod_ip);
    set("ready", &ready);
    set("phase", &status.phase);
    set("node_name", &pod.spec.node_name);
    set("host_ip", &status.host_ip);
    set("uid", &metadata.uid);
    if let Some(owner) = metadata.owner_references.iter().find(|owner| owner.controller) {
        set("controller_kind", &owner.kind);
        set("controller_name", &owner.name);
    }
    for (kind, entries) in [("label", &metadata.labels), ("annotation", &metadata.annotations)] {
        for (name, value) in entries.iter().flatten() {
            let name = sanitised(name);
            set(&format!("{kind}_{name}"), value);
            set(&format!("{kind}present_{name}"), "true");
        }
    }
    labels
}

fn container_targets(pod: &Pod, container: &Container, is_initial: bool, targets: &mut Vec<Labels>) {
    let status = &pod.status;
    let statuses = if is_initial { &status.init_container_statuses } else { &status.container_statuses };
    let id = statuses.iter().find(|status| status.name == container.name);
    let id = id.map_or("", |status| &*status.container_id);
    let common = [
        ("name", container.name.clone()),
        ("id", id.to_owned()),
        ("image", container.image.clone()),
        ("init", is_initial.to_string()),
    ];
    let mut add = |address: String, port: Vec<(&str, String)>| {
        let named = common.iter().cloned().chain(port);
        let named = named.map(|(name, value)| (format!("__meta_kubernetes_pod_container_{name}"), value));
        targets.push(named.chain([("__address__".to_owned(), address)]).collect());
    };
    let ip = &status.pod_ip;
    for Port { name, container_port, protocol } in &container.ports {
        let address = if ip.contains(':') {
            format!("[{ip}]:{container_port}")
        } else {
            format!("{ip}:{container_port}")
        };
        // The API server fills in the protocol where nobody wrote one.
        let protocol = protocol.clone().unwrap_or_else(|| "TCP".to_owned());
        let port = vec![
            ("port_name", name.clone()),
            ("port_number", container_port.to_string()),
            ("port_protocol", protocol),
        ];
        add(address, port);
    }
    if container.ports.is_empty() {
        add(ip.clone(), Vec::new());
    }
}

/// A name that can end a label's name.
fn sanitised(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
