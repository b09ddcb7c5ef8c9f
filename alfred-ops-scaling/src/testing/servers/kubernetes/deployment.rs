//! What is particular to Deployments.

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::state::{Key, State};

/// How far the last change of a template has come.
#[derive(Debug)]
pub(super) struct Progress {
    template: Value,
    complete: bool,
    exceeded: bool,
}

impl Progress {
    /// The deadline passes. What was complete once stays so, as there: only a new template starts the clock again.
    pub(super) fn exceed(&mut self) {
        self.exceeded = !self.complete;
    }
}

/// The conditions of a Deployment that has `ready` of `count` pods where `wanted` are asked for.
pub(super) fn conditions(
    state: &mut State,
    object: &Value,
    (wanted, count, ready): (usize, usize, usize),
) -> Value {
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let template = &object["spec"]["template"];
    let new = || Progress { template: template.clone(), complete: false, exceeded: false };
    let progress = state.progress.entry(uid).or_insert_with(new);
    if progress.template != *template {
        *progress = new();
    }
    if ready == wanted && count == wanted {
        (progress.complete, progress.exceeded) = (true, false);
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let (status, reason, said) = match (progress.complete, progress.exceeded) {
        (true, _) => ("True", "NewReplicaSetAvailable", "has successfully progressed."),
        (false, true) => ("False", "ProgressDeadlineExceeded", "has timed out progressing."),
        (false, false) => ("True", "ReplicaSetUpdated", "is progressing."),
    };
    // A quarter may be missing, as where a Deployment does not say.
    let (available, why) = if ready + wanted / 4 >= wanted {
        ("True", "MinimumReplicasAvailable")
    } else {
        ("False", "MinimumReplicasUnavailable")
    };
    json!([
        { "type": "Available", "status": available, "reason": why, "message": "" },
        { "type": "Progressing", "status": status, "reason": reason, "message": format!("ReplicaSet \"{name}-1\" {said}") },
    ])
}

/// Refuses what no Deployment may be, new or changed from `before`.
pub(super) fn check(key: &Key, object: &Value, before: Option<&Value>) -> Result<(), Refusal> {
    if key.kind.name != "Deployment" {
        return Ok(());
    }
    let (selector, labels) =
        (&object["spec"]["selector"]["matchLabels"], &object["spec"]["template"]["metadata"]["labels"]);
    let invalid = |field: &str, what: &str| Err(Refusal::invalid(key.kind, &key.name, (field, what)));
    match selector.as_object().filter(|labels| !labels.is_empty()) {
        None => return invalid("spec.selector", "Required value"),
        Some(selector) if selector.iter().any(|(name, value)| labels[name] != *value) => {
            return invalid("spec.template.metadata.labels", "`selector` does not match template `labels`");
        }
        Some(_) => {}
    }
    if before.is_some_and(|before| before["spec"]["selector"] != object["spec"]["selector"]) {
        return invalid("spec.selector", "Invalid value: field is immutable");
    }
    match object["spec"]["template"]["spec"]["containers"].as_array() {
        Some(containers) if !containers.is_empty() => Ok(()),
        _ => invalid("spec.template.spec.containers", "Required value"),
    }
}
