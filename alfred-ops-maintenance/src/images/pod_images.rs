//! The images that an object of Kubernetes names.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The lists whose members are containers, in specifications and templates.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];
/// The lists of what became of them.
const STATUSES: [&str; 3] = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];

/// The images that one object names, wherever in it its containers stand: of a pod, a template, a template of a template, or of
/// what a workload once was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PodImages {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) images: BTreeSet<String>,
}

impl<'de> Deserialize<'de> for PodImages {
    /// Keeps the names alone: pages of whole objects would be large.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Value::deserialize(deserializer)?;
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let mut images = BTreeSet::new();
        collect(&object, &mut images);
        Ok(Self { namespace: text("namespace"), name: text("name"), images })
    }
}

/// The parser bounds how deep it goes.
fn collect(value: &Value, images: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, images)),
        Value::Object(fields) => {
            for (field, value) in fields {
                let named: &[&str] = match field.as_str() {
                    field if CONTAINERS.contains(&field) => &["/image"],
                    // By the name that was asked for, and by the digest that came.
                    field if STATUSES.contains(&field) => &["/image", "/imageID"],
                    // Files of an image, without a container of it.
                    "volumes" => &["/image/reference"],
                    _ => &[],
                };
                let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let texts = items.iter().flat_map(|item| named.iter().filter_map(|path| item.pointer(path)));
                // A container that has not begun has no digest, and some templates are filled in by a webhook.
                let texts = texts.filter_map(Value::as_str).filter(|text| !text.is_empty());
                images.extend(texts.map(str::to_owned));
                collect(value, images);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(object: Value, expected: &[&str]) {
        let read: PodImages = serde_json::from_value(object).unwrap();
        assert_eq!(read.images.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn images_are_found_wherever_containers_stand() {
        let pod = json!({ "containers": [{ "image": "b", "name": "main" }, { "image": "" }, {}], "initContainers": [{ "image": "a" }] });
        check(json!({ "metadata": { "name": "x" }, "spec": pod }), &["a", "b"]);
        check(json!({ "spec": { "template": { "spec": pod } } }), &["a", "b"]);
        check(json!({ "spec": { "jobTemplate": { "spec": { "template": { "spec": pod } } } } }), &["a", "b"]);
        check(
            json!({ "data": { "spec": { "template": { "$patch": "replace", "spec": pod } } } }),
            &["a", "b"],
        );
        check(json!({ "spec": { "pools": [{ "template": { "spec": pod } }] } }), &["a", "b"]);
        let ran =
            json!({ "containerStatuses": [{ "image": "c", "imageID": "r/c@sha256:1" }, { "imageID": "" }] });
        check(json!({ "spec": pod, "status": ran }), &["a", "b", "c", "r/c@sha256:1"]);
        check(
            json!({ "spec": { "volumes": [{ "image": { "reference": "v" } }, { "emptyDir": {} }] } }),
            &["v"],
        );
        check(json!({ "image": "no container", "spec": { "containers": null }, "status": [1] }), &[]);
    }
}
