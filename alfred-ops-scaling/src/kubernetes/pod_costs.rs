//! Which pods go last.

use std::collections::BTreeMap;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result};
use futures::StreamExt as _;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::drain::RankedInstance;

use super::{KubernetesCluster, Pod, Request, Resource, check_name};

const ANNOTATION: &str = "controller.kubernetes.io/pod-deletion-cost";
/// What the pod of work under way costs. Those without a cost cost 0.
const BUSY: i32 = 1000;
/// Annotations are written to etcd and told to all who watch: a fleet's worth at once, and no more.
const CHANGES_MAX: usize = 200;
const CONCURRENCY_MAX: usize = 8;

/// Tells a cluster which pods of a Deployment or ReplicaSet go last when it is scaled down, by the annotation
/// `controller.kubernetes.io/pod-deletion-cost`: those that do not run yet or are not ready go first whatever they cost, then
/// the cheapest. StatefulSets do not look at it. It is a wish: the controller may act on what it saw a moment ago, so a pod
/// must still finish or hand back its work when it is told to stop.
///
/// Pods are listed and only differences are written, at most 200 in a call, so that a call may be repeated at any time. Call
/// it before a step down, or when pods become busy or idle for long; not for each message.
///
/// The role needs `list` and `patch` on `pods`.
#[derive(Debug)]
pub struct PodCosts {
    cluster: Arc<KubernetesCluster>,
    namespace: String,
    selector: String,
}

/// What became of the pods that were named.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct PodCostReport {
    /// Their cost was changed.
    pub changed: Vec<String>,
    /// Their cost was so already.
    pub unchanged: usize,
    /// They are not there, or are going: nothing is to be protected.
    pub gone: Vec<String>,
    /// Their cost could not be changed, or it is not known whether it was.
    pub failed: Vec<(String, Error)>,
    /// They were too many for one call: call again.
    pub untried: Vec<String>,
}

impl PodCostReport {
    /// Whether every pod that is there has its cost.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.untried.is_empty()
    }
}

impl PodCosts {
    /// The pods of a namespace that meet a label selector, such as `app=social-intel`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a namespace that is no name.
    pub fn new(
        cluster: Arc<KubernetesCluster>,
        namespace: impl Into<String>,
        selector: impl Into<String>,
    ) -> Result<Self> {
        let namespace = namespace.into();
        check_name("namespace", &namespace)?;
        Ok(Self { cluster, namespace, selector: selector.into() })
    }

    /// These pods have work: they go after all that have none. Others stay as they are.
    ///
    /// # Errors
    /// As of [`set`](Self::set).
    pub async fn mark_busy<N: AsRef<str>>(&self, pods: impl IntoIterator<Item = N>) -> Result<PodCostReport> {
        self.set(&pods.into_iter().map(|name| (name.as_ref().to_owned(), BUSY)).collect()).await
    }

    /// These pods have no work: they go first again. Others stay as they are.
    ///
    /// # Errors
    /// As of [`set`](Self::set).
    pub async fn mark_idle<N: AsRef<str>>(&self, pods: impl IntoIterator<Item = N>) -> Result<PodCostReport> {
        self.set(&pods.into_iter().map(|name| (name.as_ref().to_owned(), 0)).collect()).await
    }

    /// Each of these pods costs so much: the higher, the later it goes. 0 takes the annotation away. Others stay as they are.
    ///
    /// May be called again and concurrently: the last word on a pod counts. After a dropped future some may have been set.
    ///
    /// # Errors
    /// If pods cannot be listed; nothing was changed then. What fails for single pods is in the report.
    pub async fn set(&self, costs: &BTreeMap<String, i32>) -> Result<PodCostReport> {
        let pods = self.list().await?;
        let present: BTreeMap<&str, &Pod> = pods
            .iter()
            .filter(|pod| !pod.is_leaving())
            .map(|pod| (pod.metadata.name.as_str(), pod))
            .collect();
        let mut report = PodCostReport::default();
        let mut changes = Vec::new();
        for (name, cost) in costs {
            match present.get(name.as_str()) {
                None => report.gone.push(name.clone()),
                Some(pod) if costs_already(pod, *cost) => report.unchanged += 1,
                Some(_) if changes.len() >= CHANGES_MAX => report.untried.push(name.clone()),
                Some(pod) => changes.push((*pod, *cost)),
            }
        }
        // Collected, for a stream of the closure itself would not be sendable between threads.
        let made: Vec<_> = changes
            .into_iter()
            .map(|(pod, cost)| async move { (pod, self.change(pod, cost).await) })
            .collect();
        let mut made = futures::stream::iter(made).buffer_unordered(CONCURRENCY_MAX);
        while let Some((pod, outcome)) = made.next().await {
            let name = pod.metadata.name.clone();
            match outcome {
                Ok(()) => report.changed.push(name),
                // Another pod has the name by now, or none.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict) => {
                    report.gone.push(name);
                }
                Err(error) => report.failed.push((name, error)),
            }
        }
        report.changed.sort();
        report.gone.sort();
        Ok(report)
    }

    /// The pods that are there and not going, and when they go whatever they cost.
    pub(crate) async fn ranked(&self) -> Result<Vec<RankedInstance>> {
        let pods = self.list().await?;
        let staying = pods.into_iter().filter(|pod| !pod.is_leaving());
        Ok(staying.map(|pod| RankedInstance::new(pod.metadata.name.clone(), pod.deletion_rank())).collect())
    }

    async fn list(&self) -> Result<Vec<Pod>> {
        let resource = Resource::pods();
        let list = Request {
            operation: "list pods",
            verb: "list",
            resource: &resource,
            namespace: &self.namespace,
            name: None,
            subresource: None,
        };
        self.cluster.list(&list, &[("labelSelector", &self.selector)]).await
    }

    async fn change(&self, pod: &Pod, cost: i32) -> Result<()> {
        let resource = Resource::pods();
        let request = Request {
            operation: "set pod deletion cost",
            verb: "patch",
            resource: &resource,
            namespace: &self.namespace,
            name: Some(&pod.metadata.name),
            subresource: None,
        };
        let value = (cost != 0).then(|| cost.to_string());
        // The uid keeps the cost from a later pod of the same name.
        let patch = json!({ "metadata": { "uid": pod.metadata.uid, "annotations": { ANNOTATION: value } } });
        self.cluster.patch::<IgnoredAny>(&request, &patch, false).await.map(drop)
    }
}

fn costs_already(pod: &Pod, cost: i32) -> bool {
    let found = pod.metadata.annotations.get(ANNOTATION);
    // What is no number counts as 0 there; it is put right nonetheless.
    found.map_or(Some(0), |text| text.parse().ok()) == Some(cost)
}
