//! Objects of one kind, as they are.

use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::{KubernetesCluster, Request, Resource, check_name};

/// The objects of one kind in one namespace, as JSON: for what this crate knows no type of.
///
/// Nothing is repeated here. After an error whose class is [`Retry::Unknown`](alfred_ops_core::Retry::Unknown), or a dropped
/// future, a change may have happened: read before a repeat.
#[derive(Debug, Clone)]
pub struct KubernetesObjects {
    cluster: Arc<KubernetesCluster>,
    resource: Resource,
    namespace: String,
}

impl KubernetesObjects {
    /// The objects of an API version (`v1`, `apps/v1`), by the plural that paths use (`services`, `deployments`).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no name.
    pub fn new(
        cluster: Arc<KubernetesCluster>,
        api_version: &str,
        plural: &str,
        namespace: &str,
    ) -> Result<Self> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        check_name("api_version", version)?;
        if !group.is_empty() {
            check_name("api_version", group)?;
        }
        check_name("plural", plural)?;
        check_name("namespace", namespace)?;
        let resource = Resource::new(group, version, plural);
        Ok(Self { cluster, resource, namespace: namespace.to_owned() })
    }

    /// Reads one object.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none; the cluster's.
    pub async fn get(&self, name: &str) -> Result<Value> {
        check_name("name", name)?;
        self.cluster.read(&self.request("read object", "get", Some(name))).await
    }

    /// Reads all objects that meet a label selector; of all if it is empty.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceExhausted`] for more than 20,000; the cluster's.
    pub async fn list(&self, selector: &str) -> Result<Vec<Value>> {
        let query = [("labelSelector", selector)];
        let query = if selector.is_empty() { &[][..] } else { &query[..] };
        self.cluster.list(&self.request("list objects", "list", None), query).await
    }

    /// Makes an object, which names itself, and returns it as it is stored.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if its name is taken; the cluster's.
    pub async fn create(&self, object: &Value) -> Result<Value> {
        self.cluster.create(&self.request("create object", "create", None), object).await
    }

    /// Merges `patch` (RFC 7396) into an object and returns it as it is stored. A `metadata.resourceVersion` in the patch makes
    /// it conditional.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the object has another version; the cluster's.
    pub async fn patch(&self, name: &str, patch: &Value) -> Result<Value> {
        check_name("name", name)?;
        self.cluster.patch(&self.request("change object", "patch", Some(name)), patch, false).await
    }

    /// Deletes the object of this uid and version, and in the background whatever it owns.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the object has changed or is another of its name; [`ErrorKind::NotFound`] if there is none;
    /// the cluster's.
    pub async fn delete(&self, name: &str, uid: &str, version: &str) -> Result<()> {
        check_name("name", name)?;
        if uid.is_empty() || version.is_empty() {
            let message = "uid or version is empty: the deletion would be unconditional";
            return Err(Error::new(ErrorKind::InvalidInput, "delete object", message)
                .with_target(name)
                .with_remedy("name both as they were read"));
        }
        let options = json!({
            "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background",
            "preconditions": { "uid": uid, "resourceVersion": version },
        });
        self.cluster.delete(&self.request("delete object", "delete", Some(name)), &options).await
    }

    fn request<'a>(
        &'a self,
        operation: &'static str,
        verb: &'static str,
        name: Option<&'a str>,
    ) -> Request<'a> {
        let (resource, namespace) = (&self.resource, self.namespace.as_str());
        Request { operation, verb, resource, namespace, name, subresource: None }
    }
}
