//! The scale subresource.

use serde_json::{Value, json};

use super::kind::Kind;
use super::refusal::Refusal;

/// The most that 32 bits hold.
const REPLICAS_MAX: i64 = 2_147_483_647;

/// How many replicas an object asks for; one if it does not say.
pub(super) fn replicas(object: &Value) -> u32 {
    object["spec"]["replicas"].as_u64().map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX))
}

/// The scale of an object. Zero is left out, as everywhere on this wire.
pub(super) fn of(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let labels = object["spec"]["selector"]["matchLabels"].as_object();
    let selector = labels
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()));
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": {},
        "status": {
            "replicas": object["status"]["replicas"].as_u64().unwrap_or(0),
            "selector": selector.collect::<Vec<_>>().join(","),
        },
    });
    if replicas(object) > 0 {
        scale["spec"]["replicas"] = json!(replicas(object));
    }
    scale
}

/// The number that a written scale asks for.
pub(super) fn asked(kind: &Kind, name: &str, scale: &Value) -> Result<u32, Refusal> {
    check(kind, name, &scale["spec"]["replicas"]).map(|count| count.unwrap_or(0))
}

/// Refuses what is no number of replicas. None if there is none.
pub(super) fn check(kind: &Kind, name: &str, value: &Value) -> Result<Option<u32>, Refusal> {
    match (value, value.as_i64()) {
        (Value::Null, _) => Ok(None),
        (_, Some(count)) if count < 0 => {
            let what = format!("Invalid value: {count}: must be greater than or equal to 0");
            Err(Refusal::invalid(kind, name, ("spec.replicas", &what)))
        }
        (_, Some(count)) if count <= REPLICAS_MAX => Ok(u32::try_from(count).ok()),
        _ => Err(Refusal::bad_request(format!("spec.replicas: {value} is no 32-bit number"))),
    }
}
