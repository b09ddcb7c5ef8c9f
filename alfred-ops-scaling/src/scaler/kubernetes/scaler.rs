//! The scaler itself.

use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result, Retry};
use async_trait::async_trait;
use serde_json::{Value, json};

use super::scale::Scale;
use super::{ScaleTarget, autoscalers};
use crate::kubernetes::{KubernetesCluster, Request};
use crate::scaler::{Current, Limits, Outcome, Precondition, Scaler};

/// The largest cluster that Kubernetes supports has no more pods.
const LIMITS: Limits = Limits { min: 0, max: 150_000 };

/// An object of a Kubernetes cluster, scaled through its scale subresource.
///
/// A change names the resource version that it was decided on, so that it overwrites nobody's. The controller's own notes in
/// the object's status make a new version too: a change that meets one is a [`Conflict`](ErrorKind::Conflict), and the next
/// tick looks again. `running` are the pods that the controller counts, ready or not.
///
/// An object that a HorizontalPodAutoscaler scales is refused, looked for before each change: two autoscalers undo each
/// other's work. A failed request is not repeated here: the next tick looks again.
///
/// The role needs (for a Deployment):
///
/// ```yaml
/// rules:
///   - {apiGroups: ["apps"], resources: ["deployments/scale"], verbs: ["get", "patch"]}
///   - {apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: ["list"]}
///   - {apiGroups: [""], resources: ["pods"], verbs: ["list", "patch"]}  # for PodCosts and KubernetesSignals
///   - {apiGroups: ["metrics.k8s.io"], resources: ["pods"], verbs: ["list"]}  # for KubernetesSignals
/// ```
#[derive(Debug)]
pub struct KubernetesScaler {
    cluster: Arc<KubernetesCluster>,
    target: ScaleTarget,
    limits: Limits,
    unseen_accepted: bool,
}

impl KubernetesScaler {
    /// A scaler of this object. Nothing is asked yet.
    #[must_use]
    pub const fn new(cluster: Arc<KubernetesCluster>, target: ScaleTarget) -> Self {
        Self { cluster, target, limits: LIMITS, unseen_accepted: false }
    }

    /// Fewer instances than a cluster may hold (150,000): what quota and nodes bear. A policy beyond it is refused at the first
    /// tick.
    #[must_use]
    pub const fn with_max(mut self, max: u32) -> Self {
        self.limits.max = max;
        self
    }

    /// Goes on where the role may not list HorizontalPodAutoscalers, or the cluster has none of version 2. One that is there
    /// nonetheless would work against this scaler. One that is seen is refused all the same.
    #[must_use]
    pub const fn accepting_unseen_autoscalers(mut self) -> Self {
        self.unseen_accepted = true;
        self
    }

    fn request(&self, operation: &'static str, verb: &'static str) -> Request<'_> {
        Request {
            operation,
            verb,
            resource: &self.target.resource,
            namespace: &self.target.namespace,
            name: Some(&self.target.name),
            subresource: Some("scale"),
        }
    }

    async fn read(&self) -> Result<Scale> {
        self.cluster.read(&self.request("read scale", "get")).await
    }

    /// Sets the number on the version that it was decided on; the server refuses it on any other.
    async fn change(
        &self,
        operation: &'static str,
        target: u32,
        version: &str,
        dry_run: bool,
    ) -> Result<Scale> {
        self.limits.check(self.name(), target)?;
        // Without a version the change would be unconditional.
        if version.is_empty() {
            let message = "the precondition names no resource version";
            return Err(Error::new(ErrorKind::InvalidInput, operation, message)
                .with_target(self.name())
                .with_remedy("name the precondition that `current` returned"));
        }
        autoscalers::check(&self.cluster, &self.target, self.unseen_accepted).await?;
        let patch: Value =
            json!({ "metadata": { "resourceVersion": version }, "spec": { "replicas": target } });
        let scale: Scale = self.cluster.patch(&self.request(operation, "patch"), &patch, dry_run).await?;
        if scale.spec.replicas == target {
            return Ok(scale);
        }
        let message = format!("the cluster made {} of {target} replicas", scale.spec.replicas);
        let error = Error::new(ErrorKind::Unsupported, operation, message)
            .with_target(self.name())
            .with_remedy("keep the policy's bounds within what its admission webhooks let pass");
        Err(if dry_run { error } else { error.with_retry(Retry::Unknown) })
    }
}

fn precondition_of(scale: &Scale) -> Precondition {
    Precondition::new(scale.metadata.resource_version.as_str())
}

#[async_trait]
impl Scaler for KubernetesScaler {
    fn name(&self) -> &str {
        self.target.shown()
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    async fn current(&self) -> Result<Current> {
        let scale = self.read().await?;
        Ok(Current {
            configured: scale.spec.replicas,
            running: Some(scale.status.replicas),
            precondition: precondition_of(&scale),
        })
    }

    async fn plan(&self, target: u32) -> Result<String> {
        let scale = self.read().await?;
        self.change("plan", target, &scale.metadata.resource_version, true).await?;
        Ok(format!("{}: spec.replicas from {} to {target}", self.name(), scale.spec.replicas))
    }

    async fn scale(&self, target: u32, precondition: &Precondition) -> Result<Outcome> {
        let scale = self.change("scale", target, precondition.token(), false).await?;
        Ok(Outcome { configured: scale.spec.replicas, precondition: precondition_of(&scale) })
    }
}
