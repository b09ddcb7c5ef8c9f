//! What a cluster uses.

use std::collections::BTreeSet;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result};
use alfred_ops_scaling::KubernetesCluster;
use async_trait::async_trait;

use super::pod_images::PodImages;
use super::{ImageRef, ImageUse};

/// All kinds that hold pods or make them, each after those that make it: what is handed on while we read is then seen at the
/// latest where it arrives. Replica sets and controller revisions are what a workload goes back to.
const KINDS: [(&str, &str, &str); 8] = [
    ("batch", "v1", "cronjobs"),
    ("batch", "v1", "jobs"),
    ("apps", "v1", "deployments"),
    ("apps", "v1", "statefulsets"),
    ("apps", "v1", "daemonsets"),
    ("apps", "v1", "controllerrevisions"),
    ("apps", "v1", "replicasets"),
    ("", "v1", "pods"),
];

/// The images that a Kubernetes cluster uses or may go back to: of all pods, also by the digest that runs, and of the templates
/// of cron jobs, jobs, deployments, stateful sets and daemon sets with their history, whether they have pods or not.
///
/// The service account must be allowed to list these kinds:
///
/// ```yaml
/// rules:
/// - {apiGroups: [""], resources: ["pods"], verbs: ["list"]}
/// - {apiGroups: ["apps"], resources: ["deployments", "statefulsets", "daemonsets", "controllerrevisions", "replicasets"], verbs: ["list"]}
/// - {apiGroups: ["batch"], resources: ["cronjobs", "jobs"], verbs: ["list"]}
/// ```
///
/// Of each kind it reads at most 20,000 objects in a namespace, or in all together if no namespace was named.
#[derive(Debug, Clone)]
pub struct KubernetesUse {
    name: String,
    cluster: Arc<KubernetesCluster>,
    namespaces: BTreeSet<String>,
    kinds: Vec<(String, String, String)>,
}

impl KubernetesUse {
    /// The use of a whole cluster, which people know by `name`. Nothing is asked yet.
    #[must_use]
    pub fn new(name: impl Into<String>, cluster: Arc<KubernetesCluster>) -> Self {
        Self { name: name.into(), cluster, namespaces: BTreeSet::new(), kinds: Vec::new() }
    }

    /// Looks at this namespace, and no longer at all of them. May be called for several.
    ///
    /// Images that other namespaces use are then in nobody's use, unless another [`ImageUse`] tells of them.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespaces.insert(namespace.into());
        self
    }

    /// Looks at a further kind of objects, named as paths do: `("alfred-ai.com", "v1", "agentpools")`. The images of all lists
    /// of `containers` in such objects are in use.
    #[must_use]
    pub fn with_kind(mut self, (group, version, plural): (&str, &str, &str)) -> Self {
        self.kinds.push((group.to_owned(), version.to_owned(), plural.to_owned()));
        self
    }

    async fn look(&self, namespace: Option<&str>, images: &mut BTreeSet<ImageRef>) -> Result<()> {
        let own = self.kinds.iter().map(|(group, version, plural)| (&**group, &**version, &**plural));
        for kind in own.chain(KINDS) {
            let objects: Vec<PodImages> = self.cluster.list_objects(kind, namespace).await?;
            for object in objects {
                for image in &object.images {
                    images.insert(image.parse().map_err(|error| unreadable(kind.2, &object, error))?);
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ImageUse for KubernetesUse {
    fn name(&self) -> &str {
        &self.name
    }

    async fn in_use(&self) -> Result<Vec<ImageRef>> {
        let mut images = BTreeSet::new();
        if self.namespaces.is_empty() {
            self.look(None, &mut images).await?;
        }
        for namespace in &self.namespaces {
            self.look(Some(namespace), &mut images).await?;
        }
        Ok(images.into_iter().collect())
    }
}

/// Somebody may have meant an image that we would remove.
fn unreadable(plural: &str, object: &PodImages, source: Error) -> Error {
    let PodImages { namespace, name, .. } = object;
    Error::new(ErrorKind::InvalidInput, "read images of cluster", "an image is called by what is no name")
        .with_target(format!("{plural} {namespace}/{name}"))
        .with_remedy("correct or delete the object: no image is removed meanwhile")
        .with_source(source)
}
