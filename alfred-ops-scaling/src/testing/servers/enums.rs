//! Enums in JSON: names or numbers, as the request asks.

use serde_json::{Value, json};

use super::api_error::ApiError;

type Names = &'static [(&'static str, i64)];

/// The enums of a service by the field that holds them.
const ENUMS: [(&str, Names); 7] = [
    ("scalingMode", &[("AUTOMATIC", 1), ("MANUAL", 2)]),
    (
        "ingress",
        &[
            ("INGRESS_TRAFFIC_ALL", 1),
            ("INGRESS_TRAFFIC_INTERNAL_ONLY", 2),
            ("INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", 3),
            ("INGRESS_TRAFFIC_NONE", 4),
        ],
    ),
    ("launchStage", &[("ALPHA", 2), ("BETA", 3), ("GA", 4)]),
    ("executionEnvironment", &[("EXECUTION_ENVIRONMENT_GEN1", 1), ("EXECUTION_ENVIRONMENT_GEN2", 2)]),
    (
        "state",
        &[
            ("CONDITION_PENDING", 1),
            ("CONDITION_RECONCILING", 2),
            ("CONDITION_FAILED", 3),
            ("CONDITION_SUCCEEDED", 4),
        ],
    ),
    ("revisionReason", &[("HEALTH_CHECK_CONTAINER_ERROR", 6)]),
    // Entries of a split. Conditions have a type too, which is text and stays.
    (
        "type",
        &[
            ("TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", 1),
            ("TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", 2),
            ("INSTANCE_SPLIT_ALLOCATION_TYPE_LATEST", 1),
            ("INSTANCE_SPLIT_ALLOCATION_TYPE_REVISION", 2),
        ],
    ),
];

/// Replaces every enum's number by its name, which is how a service is kept.
pub(super) fn to_names(value: &mut Value) -> Result<(), ApiError> {
    each(value, &mut |field, names, value| {
        let known = names.iter().find(|(name, number)| value == name || value == number);
        let unset = *value == 0;
        match known {
            Some((name, _)) => *value = json!(name),
            None if unset => *value = Value::Null,
            None => return Err(ApiError::invalid(format!("Invalid value at '{field}': {value}"))),
        }
        Ok(())
    })
}

/// Replaces every enum's name by its number.
pub(super) fn to_numbers(value: &mut Value) -> Result<(), ApiError> {
    each(value, &mut |_, names, value| {
        if let Some((_, number)) = names.iter().find(|(name, _)| value == name) {
            *value = json!(number);
        }
        Ok(())
    })
}

type Visit<'a> = dyn FnMut(&str, Names, &mut Value) -> Result<(), ApiError> + 'a;

fn each(value: &mut Value, visit: &mut Visit<'_>) -> Result<(), ApiError> {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields.iter_mut().filter(|(_, value)| !value.is_null()) {
                match ENUMS.iter().find(|(name, _)| name == field) {
                    Some((_, names)) => visit(field, names, value)?,
                    None => each(value, visit)?,
                }
            }
            Ok(())
        }
        Value::Array(values) => values.iter_mut().try_for_each(|value| each(value, visit)),
        _ => Ok(()),
    }
}
