//! A new revision, made like the stable one.

use alfred_ops_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::super::Release;
use super::REVISION;
use super::deployment::{container_place, labels};

/// Annotations and labels that say who made an object, or how far a controller has come with it. A copy with them would be
/// taken for theirs, and pruned.
const KEPT_OUT: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/",
    "meta.helm.sh/",
    "argocd.argoproj.io/",
    "app.kubernetes.io/managed-by",
    "alfred-ops/",
];

/// The Deployment of `release`: the stable one's with another image, a label of its own, and no replicas.
pub(super) fn candidate(stable: &Value, release: &Release, container: Option<&str>) -> Result<Value> {
    let place = container_place(stable, container)?;
    let metadata = &stable["metadata"];
    let mut spec = stable["spec"].clone();
    let fields = part(&mut spec, "")?;
    // A paused one would never start anything.
    fields.remove("paused");
    fields.insert("replicas".to_owned(), json!(0));
    let mut template_labels = labels(&stable["spec"]["template"]["metadata"]["labels"]);
    template_labels.insert(REVISION.to_owned(), release.revision.clone());
    let annotations = kept(&stable["spec"]["template"]["metadata"]["annotations"]);
    let template = json!({ "labels": template_labels, "annotations": annotations });
    part(&mut spec, "/template")?.insert("metadata".to_owned(), template);
    part(&mut spec, &format!("/template/spec/containers/{place}"))?
        .insert("image".to_owned(), json!(release.image));
    part(&mut spec, "/selector/matchLabels")?.insert(REVISION.to_owned(), json!(release.revision));
    let mut own_labels = kept(&metadata["labels"]);
    own_labels.insert(REVISION.to_owned(), json!(release.revision));
    Ok(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": release.revision, "namespace": metadata["namespace"],
            "labels": own_labels, "annotations": kept(&metadata["annotations"]),
        },
        "spec": spec,
    }))
}

fn part<'v>(spec: &'v mut Value, path: &str) -> Result<&'v mut Map<String, Value>> {
    spec.pointer_mut(path).and_then(Value::as_object_mut).ok_or_else(|| {
        let message = format!("spec{path}: it is no object");
        Error::new(ErrorKind::Unsupported, "copy revision", message)
            .with_remedy("make a Deployment that selects by matchLabels")
    })
}

fn kept(map: &Value) -> Map<String, Value> {
    let pairs = map.as_object().into_iter().flatten();
    let pairs = pairs.filter(|(name, _)| !KEPT_OUT.iter().any(|out| name.starts_with(out)));
    pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
}
