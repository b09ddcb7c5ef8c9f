//! Pods come and go as controllers make them.

use serde_json::{Value, json};

use super::deployment;
use super::kind::{KINDS, Kind};
use super::scale::replicas;
use super::state::{Key, State};

const COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Brings the pods of all that has replicas to the numbers asked for, in one step, and collects those whose owner is gone.
pub(super) fn reconcile(state: &mut State) {
    for kind in KINDS.iter().filter(|kind| kind.scales) {
        for key in state.keys(kind) {
            if let Some(object) = state.get(&key).cloned() {
                settle(state, &key, &object);
            }
        }
    }
    collect(state);
}

fn collect(state: &mut State) {
    let owners = KINDS.iter().filter(|kind| kind.scales).flat_map(|kind| state.keys(kind));
    let owners: Vec<Value> =
        owners.filter_map(|key| state.get(&key)).map(|owner| owner["metadata"]["uid"].clone()).collect();
    let pods = Kind::pods().map(|kind| state.keys(kind)).unwrap_or_default();
    for key in pods {
        let owner = state.get(&key).map(|pod| pod["metadata"]["ownerReferences"][0]["uid"].clone());
        if owner.is_some_and(|owner| owner.is_string() && !owners.contains(&owner)) {
            state.remove_pod(&key);
        }
    }
}

fn settle(state: &mut State, key: &Key, owner: &Value) {
    let wanted = usize::try_from(replicas(owner)).unwrap_or(usize::MAX);
    let mut pods = owned(state, owner);
    for pod in pods.iter_mut().filter(|pod| pod["status"]["phase"] == "Pending") {
        pod["status"] = running(state, pod);
        if let Some(key) = key_of(pod) {
            state.put(&key, pod.clone());
        }
    }
    if pods.len() > wanted {
        pods.sort_by_key(|pod| leaves_first(key.kind, pod));
        for pod in pods.drain(..pods.len() - wanted) {
            if let Some(pod) = key_of(&pod) {
                state.remove_pod(&pod);
            }
        }
    }
    for _ in pods.len()..wanted {
        let ordinal = if key.kind.name == "StatefulSet" { pods.len() as u64 } else { state.next_pod() };
        let mut pod = new_pod(key, owner, ordinal);
        pod["status"] = if state.slow {
            json!({ "phase": "Pending", "conditions": [{ "type": "Ready", "status": "False" }] })
        } else {
            running(state, &pod)
        };
        if let Some(key) = key_of(&pod) {
            state.put(&key, pod.clone());
        }
        pods.push(pod);
    }
    let count = pods.len();
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    let mut settled = owner.clone();
    settled["status"] = json!({
        "observedGeneration": owner["metadata"]["generation"], "replicas": count, "updatedReplicas": count,
        "readyReplicas": ready, "availableReplicas": ready, "unavailableReplicas": count - ready,
    });
    if key.kind.name == "Deployment" {
        settled["status"]["conditions"] = deployment::conditions(state, owner, (wanted, count, ready));
    }
    if settled != *owner {
        state.put(key, settled);
    }
}

fn owned(state: &State, owner: &Value) -> Vec<Value> {
    let Some(pods) = Kind::pods() else { return Vec::new() };
    let keys = state.keys(pods).into_iter();
    let pods = keys.filter_map(|key| state.get(&key).cloned());
    pods.filter(|pod| pod["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]).collect()
}

fn key_of(pod: &Value) -> Option<Key> {
    let text = |field: &str| pod["metadata"][field].as_str().map(str::to_owned);
    Some(Key { kind: Kind::pods()?, namespace: text("namespace")?, name: text("name")? })
}

/// As the ReplicaSet controller ranks: pods that are not ready, cheap ones, young ones. StatefulSets take the last.
fn leaves_first(kind: &Kind, pod: &Value) -> (bool, i64, std::cmp::Reverse<u64>) {
    let ordinal = pod["metadata"]["labels"]["ordinal"].as_str().and_then(|text| text.parse().ok());
    let youth = std::cmp::Reverse(ordinal.unwrap_or(0));
    if kind.name == "StatefulSet" {
        return (false, 0, youth);
    }
    let cost = pod["metadata"]["annotations"][COST].as_str().and_then(|text| text.parse::<i32>().ok());
    (is_ready(pod), i64::from(cost.unwrap_or(0)), youth)
}

/// What becomes of a pod that has started.
fn running(state: &State, pod: &Value) -> Value {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut images = containers.filter_map(|container| container["image"].as_str());
    let ready = if images.any(|image| state.broken.contains(image)) { "False" } else { "True" };
    json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": ready }] })
}

fn is_ready(pod: &Value) -> bool {
    pod["status"]["conditions"][0]["status"] == "True"
}

fn new_pod(owner_key: &Key, owner: &Value, ordinal: u64) -> Value {
    let mut labels = owner["spec"]["template"]["metadata"]["labels"].clone();
    if !labels.is_object() {
        labels = json!({});
    }
    labels["ordinal"] = json!(ordinal.to_string());
    json!({
        "metadata": {
            "name": format!("{}-{ordinal}", owner_key.name),
            "namespace": owner_key.namespace,
            "labels": labels,
            "ownerReferences": [{
                "apiVersion": owner_key.kind.api_version(), "kind": owner_key.kind.name, "name": owner_key.name,
                "uid": owner["metadata"]["uid"], "controller": true,
            }],
        },
        "spec": owner["spec"]["template"]["spec"],
    })
}
