//! The one object whose version all changes name.

use std::collections::BTreeMap;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result};
use alfred_ops_scaling::{KubernetesCluster, KubernetesObjects};
use serde_json::{Value, json};

use super::deployment::{labels, text};
use super::shares::Shares;
use super::{REVISION, SHARES};

/// Where it is written who is to have which share.
#[derive(Debug)]
pub(super) struct Anchor {
    objects: KubernetesObjects,
    name: String,
    /// The labels of all revisions' pods; none if the object is a Service, which says so itself.
    labels: Option<BTreeMap<String, String>>,
}

/// What the anchor shows.
#[derive(Debug, Clone)]
pub(super) struct AnchorView {
    /// Empty if there is no object yet.
    pub(super) version: String,
    /// None if nothing was ever written, an error if it cannot be read.
    pub(super) shares: std::result::Result<Option<Shares>, String>,
    pub(super) selector: BTreeMap<String, String>,
}

impl Anchor {
    pub(super) fn service(cluster: Arc<KubernetesCluster>, namespace: &str, name: &str) -> Result<Self> {
        let objects = KubernetesObjects::new(cluster, "v1", "services", namespace)?;
        Ok(Self { objects, name: name.to_owned(), labels: None })
    }

    pub(super) fn config_map(
        cluster: Arc<KubernetesCluster>,
        namespace: &str,
        name: &str,
        labels: BTreeMap<String, String>,
    ) -> Result<Self> {
        let objects = KubernetesObjects::new(cluster, "v1", "configmaps", namespace)?;
        check(name, &labels)?;
        Ok(Self { objects, name: name.to_owned(), labels: Some(labels) })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Reads it. A ConfigMap that is not there yet has no version.
    pub(super) async fn read(&self) -> Result<AnchorView> {
        match (self.objects.get(&self.name).await, &self.labels) {
            (Ok(object), labels) => self.view(&object, labels.as_ref()),
            (Err(error), Some(labels)) if error.kind() == ErrorKind::NotFound => {
                Ok(AnchorView { version: String::new(), shares: Ok(None), selector: labels.clone() })
            }
            (Err(error), _) => Err(error),
        }
    }

    fn view(&self, object: &Value, own: Option<&BTreeMap<String, String>>) -> Result<AnchorView> {
        let selector = own.cloned().unwrap_or_else(|| labels(&object["spec"]["selector"]));
        check(&self.name, &selector)?;
        let shares = match object["metadata"]["annotations"][SHARES].as_str() {
            None => Ok(None),
            Some(text) => serde_json::from_str(text).map(Some).map_err(|error| error.to_string()),
        };
        Ok(AnchorView { version: text(&object["metadata"]["resourceVersion"]), shares, selector })
    }

    /// Writes the shares if the object still has this version.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if it has not; the cluster's.
    pub(super) async fn write(&self, version: &str, shares: &Shares) -> Result<AnchorView> {
        let text = serde_json::to_string(shares).map_err(|source| {
            Error::new(ErrorKind::Internal, "write shares", "they cannot be written").with_source(source)
        })?;
        let object = if version.is_empty() {
            let metadata = json!({ "name": self.name, "annotations": { SHARES: text } });
            let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata });
            self.objects.create(&object).await.map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => stale(&self.name),
                _ => error,
            })?
        } else {
            let metadata = json!({ "resourceVersion": version, "annotations": { SHARES: text } });
            self.objects.patch(&self.name, &json!({ "metadata": metadata })).await?
        };
        self.view(&object, self.labels.as_ref())
    }
}

pub(super) fn stale(name: &str) -> Error {
    Error::new(ErrorKind::Conflict, "change revisions", "somebody changed them meanwhile").with_target(name)
}

fn check(name: &str, selector: &BTreeMap<String, String>) -> Result<()> {
    let fault = if selector.is_empty() {
        "labels: there are none by which its pods are known".to_owned()
    } else if let Some(revision) = selector.get(REVISION) {
        format!("labels: {REVISION}={revision} leaves no room for a second revision")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidInput, "know pods", fault)
        .with_target(name)
        .with_remedy("select the pods by labels that all revisions have, such as app=api"))
}
