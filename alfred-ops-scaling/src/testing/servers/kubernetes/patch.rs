//! The ways to patch an object.

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// Lists whose entries strategic merges tell apart by this field.
const MERGED_BY_NAME: [&str; 4] = ["containers", "initContainers", "env", "volumes"];

/// Applies a patch of this media type. Only built-in kinds know strategic merges.
pub(super) fn apply(
    object: &Value,
    patch: &Value,
    media_type: &str,
    built_in: bool,
) -> Result<Value, Refusal> {
    let mut patched = object.clone();
    match media_type.split(';').next().unwrap_or_default().trim() {
        "application/merge-patch+json" => merge(&mut patched, patch, false),
        "application/strategic-merge-patch+json" if built_in => merge(&mut patched, patch, true),
        "application/json-patch+json" => {
            let operations =
                patch.as_array().ok_or_else(|| Refusal::bad_request("a JSON patch is a list"))?;
            for operation in operations {
                operate(&mut patched, operation)?;
            }
        }
        other => return Err(Refusal::media_type(other)),
    }
    Ok(patched)
}

/// RFC 7396, and for strategic merges lists whose entries have names.
fn merge(target: &mut Value, patch: &Value, strategic: bool) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (name, value) in fields {
        match value {
            Value::Null => {
                target.as_object_mut().map(|target| target.remove(name));
            }
            Value::Array(entries) if strategic && MERGED_BY_NAME.contains(&name.as_str()) => {
                merge_list(&mut target[name], entries);
            }
            value => merge(&mut target[name], value, strategic),
        }
    }
}

fn merge_list(target: &mut Value, entries: &[Value]) {
    if !target.is_array() {
        *target = Value::Array(Vec::new());
    }
    let Value::Array(present) = target else { return };
    for entry in entries {
        match present.iter_mut().find(|found| found["name"] == entry["name"]) {
            Some(found) => merge(found, entry, true),
            None => present.push(entry.clone()),
        }
    }
}

/// One operation of RFC 6902: add, replace, remove or test of fields of objects.
fn operate(target: &mut Value, operation: &Value) -> Result<(), Refusal> {
    let path = operation["path"].as_str().unwrap_or_default();
    let missing = || Refusal::bad_request(format!("the path {path:?} of a JSON patch does not exist"));
    let (parent, field) = path.rsplit_once('/').ok_or_else(missing)?;
    let field = field.replace("~1", "/").replace("~0", "~");
    let parent = target.pointer_mut(parent).and_then(Value::as_object_mut).ok_or_else(missing)?;
    match operation["op"].as_str() {
        Some("add") => {
            parent.insert(field, operation["value"].clone());
        }
        Some("replace") if parent.contains_key(&field) => {
            parent.insert(field, operation["value"].clone());
        }
        Some("remove") if parent.contains_key(&field) => {
            parent.remove(&field);
        }
        Some("test") if parent.get(&field) == Some(&operation["value"]) => {}
        Some("test") => return Err(Refusal::bad_request(format!("the test of {path:?} failed"))),
        _ => return Err(missing()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(media_type: &str, patch: Value, expected: Option<Value>) {
        let object =
            json!({ "a": 1, "m": { "x": "y" }, "containers": [{ "name": "c", "image": "i", "tty": true }] });
        let media_type = format!("application/{media_type}+json");
        assert_eq!(apply(&object, &patch, &media_type, true).ok(), expected, "{patch}");
    }

    #[test]
    fn each_kind_of_patch_does_what_its_standard_says() {
        let images = json!([{ "name": "c", "image": "j" }, { "name": "d" }]);
        let containers = json!([{ "name": "c", "image": "j", "tty": true }, { "name": "d" }]);
        let patch = json!({ "a": null, "m": { "z": 1 }, "containers": images });
        check("merge-patch", patch.clone(), Some(json!({ "m": { "x": "y", "z": 1 }, "containers": images })));
        check(
            "strategic-merge-patch",
            patch,
            Some(json!({ "m": { "x": "y", "z": 1 }, "containers": containers })),
        );
        let test = |value| {
            json!([{ "op": "test", "path": "/a", "value": value }, { "op": "replace", "path": "/containers", "value": [] },
                { "op": "add", "path": "/m/b~1c", "value": 2 }, { "op": "remove", "path": "/m/x" }])
        };
        check("json-patch", test(1), Some(json!({ "a": 1, "m": { "b/c": 2 }, "containers": [] })));
        check("json-patch", test(2), None);
        check("json-patch", json!([{ "op": "replace", "path": "/none", "value": 1 }]), None);
        check("apply-patch", json!({}), None);
    }
}
