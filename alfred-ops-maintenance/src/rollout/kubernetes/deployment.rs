//! One revision as its Deployment says.

use std::collections::BTreeMap;

use alfred_ops_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::{CHANGE, REVISION};

/// Names the container that counts; without it that is the first.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// A Deployment as far as it is looked at here.
#[derive(Debug, Clone)]
pub(super) struct Deployment {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) uid: String,
    /// How many are asked for.
    pub(super) replicas: u32,
    /// How many of them serve.
    pub(super) available: u32,
    pub(super) image: String,
    /// Whether its controller has ever looked at it.
    pub(super) seen: bool,
    /// Whether its controller has stopped whom it was to stop.
    pub(super) settled: bool,
    /// What its controller says if it has given up.
    pub(super) failure: Option<String>,
    /// The last change that came to it.
    pub(super) change: Option<String>,
    pub(super) object: Value,
}

impl Deployment {
    /// What of `object` is looked at.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if it has no such container.
    pub(super) fn read(object: Value, container: Option<&str>) -> Result<Self> {
        let metadata = &object["metadata"];
        let status = &object["status"];
        let replicas = object["spec"]["replicas"].as_u64().map_or(1, whole);
        let generation = |of: &Value| of.as_u64().unwrap_or(0);
        let seen_now = generation(&status["observedGeneration"]) >= generation(&metadata["generation"]);
        let place = container_place(&object, container)?;
        Ok(Self {
            name: text(&metadata["name"]),
            version: text(&metadata["resourceVersion"]),
            uid: text(&metadata["uid"]),
            replicas,
            available: whole(status["availableReplicas"].as_u64().unwrap_or(0)).min(replicas),
            image: text(&object["spec"]["template"]["spec"]["containers"][place]["image"]),
            seen: status["observedGeneration"].is_u64(),
            settled: seen_now && status["replicas"].as_u64().unwrap_or(0) <= u64::from(replicas),
            failure: failure(status).filter(|_| seen_now),
            change: metadata["annotations"][CHANGE].as_str().map(str::to_owned),
            object,
        })
    }

    /// Which pods are its own and nobody else's: those of a plain Deployment meet the selector of none of ours, but those of
    /// ours meet that of the plain one.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a selector of expressions.
    pub(super) fn own_pods(&self) -> Result<String> {
        let selector = &self.object["spec"]["selector"];
        if selector["matchExpressions"].as_array().is_some_and(|expressions| !expressions.is_empty()) {
            let message = "spec.selector.matchExpressions: its pods cannot be told from others";
            return Err(Error::new(ErrorKind::Unsupported, "select pods", message)
                .with_target(&self.name)
                .with_remedy("make a Deployment that selects by matchLabels"));
        }
        let labels = labels(&selector["matchLabels"]);
        let mut parts: Vec<String> = labels
            .iter()
            .filter(|(name, _)| *name != REVISION)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        parts.push(match self.object["spec"]["template"]["metadata"]["labels"][REVISION].as_str() {
            Some(revision) => format!("{REVISION}={revision}"),
            None => format!("!{REVISION}"),
        });
        Ok(parts.join(","))
    }
}

/// Whether pods of this Deployment meet `selector`, and it is not on its way out.
pub(super) fn is_chosen(object: &Value, selector: &BTreeMap<String, String>) -> bool {
    let own = &object["spec"]["template"]["metadata"]["labels"];
    object["metadata"]["deletionTimestamp"].is_null()
        && selector.iter().all(|(name, value)| own[name].as_str() == Some(value))
}

/// Which container of its pods runs the image.
pub(super) fn container_place(object: &Value, wanted: Option<&str>) -> Result<usize> {
    let template = &object["spec"]["template"];
    let wanted = wanted.or_else(|| template["metadata"]["annotations"][DEFAULT_CONTAINER].as_str());
    let mut containers = template["spec"]["containers"].as_array().into_iter().flatten();
    containers.position(|one| wanted.is_none_or(|wanted| one["name"] == wanted)).ok_or_else(|| {
        let message = format!("container: there is none called {:?}", wanted.unwrap_or_default());
        Error::new(ErrorKind::Unsupported, "read revision", message)
            .with_target(text(&object["metadata"]["name"]))
            .with_remedy("name one of its containers by KubernetesRollout::with_container")
    })
}

pub(super) fn labels(map: &Value) -> BTreeMap<String, String> {
    let pairs = map.as_object().into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

fn failure(status: &Value) -> Option<String> {
    let mut conditions = status["conditions"].as_array()?.iter();
    let given_up = conditions.find(|one| {
        one["type"] == "Progressing"
            && one["status"] == "False"
            && one["reason"] == "ProgressDeadlineExceeded"
    })?;
    Some(text(&given_up["message"]))
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn whole(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
