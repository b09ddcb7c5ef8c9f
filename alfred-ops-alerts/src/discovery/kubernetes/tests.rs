use serde_json::json;

use super::pod::Pod;
use super::pod_group::group;

#[test]
fn a_pod_has_a_target_for_each_port_and_the_labels_of_prometheus() {
    let pod = json!({
        "metadata": {
            "name": "bot-1", "namespace": "agents", "uid": "u-1",
            "labels": {"app.kubernetes.io/name": "bot"},
            "annotations": {"prometheus.io/scrape": "true"},
            "ownerReferences": [{"kind": "Node", "name": "no"}, {"kind": "ReplicaSet", "name": "bot", "controller": true}],
        },
        "spec": {
            "nodeName": "n1",
            "containers": [
                {"name": "main", "image": "bot:1", "ports": [
                    {"name": "http", "containerPort": 8011, "protocol": "TCP"}, {"containerPort": 9000}]},
                {"name": "side", "image": "side:1"},
            ],
            "initContainers": [{"name": "setup", "image": "setup:1"}],
        },
        "status": {
            "phase": "Running", "podIP": "10.0.0.7", "hostIP": "10.1.0.1",
            "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "False"}],
            "containerStatuses": [{"name": "main", "containerID": "containerd://abc"}],
        },
    });
    let group = group(&serde_json::from_value::<Pod>(pod).unwrap());
    assert_eq!(group.source, "pod/agents/bot-1");
    let shown = |labels: &std::collections::BTreeMap<String, String>| {
        labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    assert_eq!(
        shown(&group.labels),
        [
            "__meta_kubernetes_namespace=agents",
            "__meta_kubernetes_pod_annotation_prometheus_io_scrape=true",
            "__meta_kubernetes_pod_annotationpresent_prometheus_io_scrape=true",
            "__meta_kubernetes_pod_controller_kind=ReplicaSet",
            "__meta_kubernetes_pod_controller_name=bot",
            "__meta_kubernetes_pod_host_ip=10.1.0.1",
            "__meta_kubernetes_pod_ip=10.0.0.7",
            "__meta_kubernetes_pod_label_app_kubernetes_io_name=bot",
            "__meta_kubernetes_pod_labelpresent_app_kubernetes_io_name=true",
            "__meta_kubernetes_pod_name=bot-1",
            "__meta_kubernetes_pod_node_name=n1",
            "__meta_kubernetes_pod_phase=Running",
            "__meta_kubernetes_pod_ready=false",
            "__meta_kubernetes_pod_uid=u-1",
        ]
    );
    assert_eq!(
        shown(&group.targets[0]),
        [
            "__address__=10.0.0.7:8011",
            "__meta_kubernetes_pod_container_id=containerd://abc",
            "__meta_kubernetes_pod_container_image=bot:1",
            "__meta_kubernetes_pod_container_init=false",
            "__meta_kubernetes_pod_container_name=main",
            "__meta_kubernetes_pod_container_port_name=http",
            "__meta_kubernetes_pod_container_port_number=8011",
            "__meta_kubernetes_pod_container_port_protocol=TCP",
        ]
    );
    let addresses: Vec<&str> = group.targets.iter().map(|target| &*target["__address__"]).collect();
    assert_eq!(addresses, ["10.0.0.7:8011", "10.0.0.7:9000", "10.0.0.7", "10.0.0.7"]);
    assert_eq!(group.targets[3]["__meta_kubernetes_pod_container_init"], "true");
}

#[test]
fn addresses_of_ipv6_stand_in_brackets_and_a_pod_without_address_has_no_target() {
    let pod = json!({
        "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 1}]}]},
        "status": {"podIP": "fd00::7"},
    });
    let mut pod: Pod = serde_json::from_value(pod).unwrap();
    assert_eq!(group(&pod).targets[0]["__address__"], "[fd00::7]:1");
    assert_eq!(group(&pod).labels["__meta_kubernetes_pod_ready"], "unknown");
    pod.status.pod_ip.clear();
    assert_eq!((group(&pod).targets.len(), group(&pod).labels.len()), (0, 0));
}
