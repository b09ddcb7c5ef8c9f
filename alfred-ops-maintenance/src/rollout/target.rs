//! The platform that runs revisions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use alfred_ops_core::Result;
use async_trait::async_trait;

use super::{Release, TrafficSplit, UnderWay};

/// One service of a platform that runs revisions side by side.
///
/// Every change names the version that it was decided on, and is refused if the service has changed since: two hosts, or a host
/// and a person, cannot both have their way unseen. After an error or a dropped future the change may have happened; whoever
/// made it looks again.
#[async_trait]
pub trait RolloutTarget: fmt::Debug + Send + Sync + 'static {
    /// The service's name, for people.
    fn name(&self) -> &str;

    /// Refuses a release that the platform would refuse, before anything is done about it. Asks nobody.
    ///
    /// The default takes every release: then the platform's own refusal comes later, as an error of
    /// [`create_candidate`](Self::create_candidate).
    ///
    /// # Errors
    /// [`InvalidInput`](alfred_ops_core::ErrorKind::InvalidInput), naming the field.
    fn check(&self, _release: &Release) -> Result<()> {
        Ok(())
    }

    /// What is there. Changes nothing.
    ///
    /// # Errors
    /// The platform's.
    async fn observe(&self) -> Result<TargetView>;

    /// Makes the release's revision, without traffic. All but the image is that of `stable`.
    ///
    /// # Errors
    /// [`Conflict`](alfred_ops_core::ErrorKind::Conflict) if the service is not at `version`, else the platform's.
    async fn create_candidate(&self, version: &str, stable: &str, release: &Release) -> Result<()>;

    /// Splits the traffic, or begins to: what takes time shows in [`TargetView::under_way`], and goes on when it is called again
    /// with the same split.
    ///
    /// # Errors
    /// As [`create_candidate`](Self::create_candidate).
    async fn set_traffic(&self, version: &str, split: &TrafficSplit) -> Result<()>;

    /// Removes a revision that has no traffic.
    ///
    /// # Errors
    /// As [`create_candidate`](Self::create_candidate).
    async fn retire(&self, version: &str, revision: &str) -> Result<()>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: RolloutTarget + ?Sized> RolloutTarget for Arc<T> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn check(&self, release: &Release) -> Result<()> {
        (**self).check(release)
    }

    async fn observe(&self) -> Result<TargetView> {
        (**self).observe().await
    }

    async fn create_candidate(&self, version: &str, stable: &str, release: &Release) -> Result<()> {
        (**self).create_candidate(version, stable, release).await
    }

    async fn set_traffic(&self, version: &str, split: &TrafficSplit) -> Result<()> {
        (**self).set_traffic(version, split).await
    }

    async fn retire(&self, version: &str, revision: &str) -> Result<()> {
        (**self).retire(version, revision).await
    }
}

/// What a target shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetView {
    /// The token that changes name: an etag or a resourceVersion.
    pub version: String,
    /// The revisions that exist.
    pub revisions: BTreeMap<String, RevisionView>,
    /// Who gets the traffic, as configured. None if it is not a split of named revisions. While another split is under way, the
    /// one that it began from, or the other one already if only instances that are to stop are left.
    pub split: Option<TrafficSplit>,
    /// What is left to do of a split that was begun; none on a platform that splits at once.
    pub under_way: Option<UnderWay>,
}

impl TargetView {
    /// Whether the revision can serve.
    #[must_use]
    pub fn is_ready(&self, revision: &str) -> bool {
        self.revisions.get(revision).is_some_and(|view| view.readiness == Readiness::Ready)
    }

    /// Why the revision cannot serve; none if it can.
    pub(super) fn unready(&self, revision: &str) -> Option<String> {
        match self.revisions.get(revision).map(|view| &view.readiness) {
            Some(Readiness::Ready) => None,
            Some(Readiness::Starting) => Some(format!("{revision} is starting")),
            Some(Readiness::Failed { reason }) => Some(format!("{revision} failed: {reason}")),
            None => Some(format!("{revision} does not exist")),
        }
    }
}

/// One revision as a target shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionView {
    /// What it runs.
    pub image: String,
    /// Whether it can serve.
    pub readiness: Readiness,
}

/// Whether a revision can serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// Not yet.
    Starting,
    /// The platform says that it cannot.
    Failed {
        /// What the platform says.
        reason: String,
    },
}
