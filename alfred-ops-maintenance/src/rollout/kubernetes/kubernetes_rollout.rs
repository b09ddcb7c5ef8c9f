//! The target itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result};
use alfred_ops_scaling::{DrainLeases, KubernetesCluster, KubernetesObjects};
use async_trait::async_trait;
use serde_json::Value;

use super::super::{Release, RolloutTarget, TargetView, TrafficSplit};
use super::anchor::{Anchor, stale};
use super::candidate::candidate;
use super::deployment::{Deployment, is_chosen, text};
use super::replicas::{replicas_of, shown};
use super::shares::{Begun, Shares};
use super::standing::Standing;

/// Revisions as Deployments of a Kubernetes cluster: one for each, of the revision's name, with as many of the replicas as its
/// share of the traffic.
///
/// All Deployments of the namespace whose pods the Service chooses are revisions, so that nobody has traffic unseen. The
/// first one may be any plain Deployment. A candidate is its copy with another image and the label `alfred-ops/revision`,
/// without replicas; with its first share its first pods start, which have no traffic before they are ready. Whoever has a
/// share has at least one replica: of four, 5 % are one, which are 25 %. [`replicas`](Self::replicas) says what a split comes
/// to.
///
/// Who is to have which share stands in the annotation `alfred-ops/shares` of the Service, whose version all changes name. It
/// is written first; then replicas follow, at most a quarter of them at a time, and whoever calls again goes on where
/// another stopped. `observe` shows a new split when all of its replicas serve.
///
/// Somebody may change the number of replicas as long as that leaves every revision its share: any number of one that has
/// everything, or a larger sum that is divided as the split means it. Anything else is somebody else's change. A HorizontalPodAutoscaler of a revision is
/// refused: numbers of replicas are the split.
///
/// With [leases](Self::with_leases) nobody who works is stopped: who is to go begins nothing more, and a split is there when
/// the last lease that stood in its way has ended.
///
/// The role needs:
///
/// ```yaml
/// rules:
///   - {apiGroups: [""], resources: ["services"], verbs: ["get", "patch"]}  # of `service`
///   - {apiGroups: [""], resources: ["configmaps"], verbs: ["get", "create", "patch"]}  # of `workers`
///   - {apiGroups: ["apps"], resources: ["deployments"], verbs: ["list", "create", "patch", "delete"]}
///   - {apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: ["list"]}
///   - {apiGroups: ["apps"], resources: ["deployments/scale"], verbs: ["get", "patch"]}  # with leases
///   - {apiGroups: [""], resources: ["pods"], verbs: ["list", "patch"]}  # with leases
/// ```
#[derive(Debug)]
pub struct KubernetesRollout {
    pub(super) cluster: Arc<KubernetesCluster>,
    pub(super) namespace: String,
    pub(super) anchor: Anchor,
    pub(super) deployments: KubernetesObjects,
    pub(super) leases: Option<DrainLeases>,
    autoscalers: KubernetesObjects,
    container: Option<String>,
    shown: String,
}

impl KubernetesRollout {
    /// The revisions that have the traffic of a Service. Nothing is asked yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no name.
    pub fn service(cluster: Arc<KubernetesCluster>, namespace: &str, service: &str) -> Result<Self> {
        let anchor = Anchor::service(Arc::clone(&cluster), namespace, service)?;
        Self::of(cluster, namespace, anchor)
    }

    /// The revisions of workers without a Service: all Deployments whose pods have these labels. The shares stand in the
    /// ConfigMap `config_map`, which is made if it is not there. Nothing is asked yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no name, and without labels.
    pub fn workers(
        cluster: Arc<KubernetesCluster>,
        namespace: &str,
        config_map: &str,
        labels: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self> {
        let labels: BTreeMap<String, String> = labels.into_iter().collect();
        let anchor = Anchor::config_map(Arc::clone(&cluster), namespace, config_map, labels)?;
        Self::of(cluster, namespace, anchor)
    }

    fn of(cluster: Arc<KubernetesCluster>, namespace: &str, anchor: Anchor) -> Result<Self> {
        let objects =
            |version, plural| KubernetesObjects::new(Arc::clone(&cluster), version, plural, namespace);
        Ok(Self {
            deployments: objects("apps/v1", "deployments")?,
            autoscalers: objects("autoscaling/v2", "horizontalpodautoscalers")?,
            namespace: namespace.to_owned(),
            shown: format!("{namespace}/{}", anchor.name()),
            leases: None,
            container: None,
            anchor,
            cluster,
        })
    }

    /// The container that runs the image, where pods have several; the annotated default or the first if not set.
    #[must_use]
    pub fn with_container(mut self, name: impl Into<String>) -> Self {
        self.container = Some(name.into());
        self
    }

    /// The leases that the revisions' pods take while they work, by their pods' names.
    #[must_use]
    pub fn with_leases(mut self, leases: DrainLeases) -> Self {
        self.leases = Some(leases);
        self
    }

    /// How many of `total` replicas each revision has with this split. Each has at least one, so that the sum may be larger.
    #[must_use]
    pub fn replicas(split: &TrafficSplit, total: u32) -> BTreeMap<String, u32> {
        replicas_of(split, total)
    }

    /// What is there. The anchor is read last: what was listed before it and has its version since is of no later change.
    pub(super) async fn look(&self) -> Result<Standing> {
        let objects = self.deployments.list("").await?;
        let anchor = self.anchor.read().await?;
        let mut revisions = BTreeMap::new();
        for object in objects.into_iter().filter(|object| is_chosen(object, &anchor.selector)) {
            let one = Deployment::read(object, self.container.as_deref())?;
            revisions.insert(one.name.clone(), one);
        }
        Ok(Standing { anchor, revisions })
    }

    /// What is there, if it still has this version.
    async fn look_at(&self, version: &str) -> Result<Standing> {
        let standing = self.look().await?;
        if standing.anchor.version == version { Ok(standing) } else { Err(stale(&self.shown)) }
    }

    fn refused(&self, kind: ErrorKind, operation: &'static str, message: String) -> Error {
        Error::new(kind, operation, message).with_target(&self.shown)
    }

    /// Refuses to go on where somebody else scales a revision.
    async fn check_autoscalers(&self, standing: &Standing) -> Result<()> {
        let scales = |object: &Value| {
            let target = &object["spec"]["scaleTargetRef"];
            target["kind"] == "Deployment" && standing.revisions.contains_key(&text(&target["name"]))
        };
        match self.autoscalers.list("").await?.iter().find(|object| scales(object)) {
            None => Ok(()),
            Some(object) => {
                let (name, target) = (&object["metadata"]["name"], &object["spec"]["scaleTargetRef"]["name"]);
                let message = format!("the HorizontalPodAutoscaler {name} scales {target}");
                let error = self.refused(ErrorKind::Unsupported, "make revision", message);
                Err(error.with_remedy("delete it for the time of the rollout: replicas are the split"))
            }
        }
    }

    /// Writes down that `split` begins.
    async fn begin(&self, standing: &Standing, split: &TrafficSplit) -> Result<String> {
        let Some((before, total)) = standing.ground() else {
            let message = "the replicas are not as the shares have it".to_owned();
            let error = self.refused(ErrorKind::InvalidInput, "split traffic", message);
            return Err(error.with_remedy("scale them back, or take the annotation alfred-ops/shares away"));
        };
        if total == 0 {
            let message = "replicas: there are none to split".to_owned();
            let error = self.refused(ErrorKind::InvalidInput, "split traffic", message);
            return Err(error.with_remedy("scale the revision up that has the traffic"));
        }
        let change = format!("{}/{split}", standing.anchor.version);
        let replicas = replicas_of(split, total);
        tracing::info!(%split, replicas = shown(&replicas), "rollout");
        let begun = Begun { change: change.clone(), split: before, replicas: standing.counts() };
        let shares = Shares { split: split.clone(), total, replicas, begun: Some(begun) };
        self.anchor.write(&standing.anchor.version, &shares).await?;
        Ok(change)
    }
}

#[async_trait]
impl RolloutTarget for KubernetesRollout {
    fn name(&self) -> &str {
        &self.shown
    }

    async fn observe(&self) -> Result<TargetView> {
        Ok(self.look().await?.view())
    }

    async fn create_candidate(&self, version: &str, stable: &str, release: &Release) -> Result<()> {
        let standing = self.look_at(version).await?;
        self.check_autoscalers(&standing).await?;
        let Some(stable) = standing.revisions.get(stable) else {
            let message = format!("there is no revision {stable}");
            return Err(self.refused(ErrorKind::NotFound, "make revision", message));
        };
        let object = candidate(&stable.object, release, self.container.as_deref())?;
        self.deployments.create(&object).await.map(drop)
    }

    async fn set_traffic(&self, version: &str, split: &TrafficSplit) -> Result<()> {
        let standing = self.look_at(version).await?;
        if let Some((unknown, _)) = split.shares().find(|(name, _)| !standing.revisions.contains_key(*name)) {
            let message = format!("there is no revision {unknown}");
            return Err(self.refused(ErrorKind::NotFound, "split traffic", message));
        }
        let change = match standing.begun().filter(|(shares, _)| shares.split == *split) {
            Some((_, begun)) => begun.change.clone(),
            None if standing
                .shares()
                .is_some_and(|shares| shares.begun.is_none() && shares.split == *split) =>
            {
                return Ok(());
            }
            None => self.begin(&standing, split).await?,
        };
        self.carry(&change).await
    }

    async fn retire(&self, version: &str, revision: &str) -> Result<()> {
        let standing = self.look_at(version).await?;
        let Some(one) = standing.revisions.get(revision) else {
            let message = format!("there is no revision {revision}");
            return Err(self.refused(ErrorKind::NotFound, "remove revision", message));
        };
        let share = standing.ground().map_or(0, |(split, _)| split.percent(revision));
        if share > 0 || one.replicas > 0 || standing.begun().is_some() {
            let message = format!("{revision} has traffic: {share} %, {} replicas", one.replicas);
            let error = self.refused(ErrorKind::InvalidInput, "remove revision", message);
            return Err(error.with_remedy("give its traffic to another revision first"));
        }
        self.deployments.delete(revision, &one.uid, &one.version).await
    }
}
