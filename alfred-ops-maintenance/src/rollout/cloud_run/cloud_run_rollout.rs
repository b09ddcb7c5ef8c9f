//! The target of a service.

use alfred_ops_core::Result;
use alfred_ops_scaling::{CloudRunApi, CloudRunOptions};
use async_trait::async_trait;
use google_cloud_run_v2::model::Service;

use super::cloud_run_target::CloudRunTarget;
use super::resource::Resource as _;
use super::split::entries;
use crate::rollout::{Release, RolloutTarget, TargetView, TrafficSplit};

/// A service on Cloud Run, rolled out through the Admin API v2 by revisions and the split of the traffic.
///
/// Each change names the service's etag and the fields that it is about, so that nobody's change is overwritten: `template` and
/// `traffic` for the candidate, `traffic` for a split. A release's revision is called `SERVICE-…`, as Cloud Run wants it, and its
/// image is named by digest, since a revision may show the digest where a tag was asked for.
///
/// A service on `LATEST`, as most are, is on the revision that `LATEST` means. The change that makes the candidate also names
/// that revision in the traffic, or the candidate would get all of it. From then on, and after the rollout, the traffic goes to
/// named revisions: whoever deploys without a rollout gives it to `LATEST` again, with
/// `gcloud run services update-traffic SERVICE --to-latest`.
///
/// Cloud Run does not delete the newest revision of a service, and the next deployment starts from its template. So a candidate
/// that goes is followed by a revision like the one that has the traffic, which has another name and gets none.
///
/// `Ok` of a change says that Cloud Run has accepted it. It is there when the service's `trafficStatuses` show it. A request is
/// made once.
#[derive(Debug)]
pub struct CloudRunRollout(CloudRunTarget<Service>);

impl CloudRunRollout {
    /// A target of the service that [`CloudRunOptions::new`] names. Nothing is asked yet. The client is made as
    /// [`CloudRunApi`] says.
    ///
    /// # Errors
    /// [`InvalidInput`](alfred_ops_core::ErrorKind::InvalidInput) for the options of a worker pool;
    /// [`PermissionDenied`](alfred_ops_core::ErrorKind::PermissionDenied) if there are no credentials.
    pub async fn connect(options: CloudRunOptions) -> Result<Self> {
        Ok(Self(CloudRunTarget::connect(CloudRunApi::of_service(options)?).await?))
    }
}

#[async_trait]
impl RolloutTarget for CloudRunRollout {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn check(&self, release: &Release) -> Result<()> {
        self.0.check(release)
    }

    async fn observe(&self) -> Result<TargetView> {
        self.0.observe().await.map(|(view, _)| view)
    }

    async fn create_candidate(&self, version: &str, stable: &str, release: &Release) -> Result<()> {
        self.0.create_candidate(version, stable, release).await
    }

    async fn set_traffic(&self, version: &str, split: &TrafficSplit) -> Result<()> {
        const OPERATION: &str = "split traffic";
        let service = self.0.read_at(OPERATION, version).await?;
        let after = entries(service.entries(), split);
        if after == service.entries() {
            // Cloud Run is at it.
            return Ok(());
        }
        let change = self.0.change(version).with_entries(after);
        self.0.update(OPERATION, change, &[Service::SPLIT]).await
    }

    async fn retire(&self, version: &str, revision: &str) -> Result<()> {
        self.0.retire(version, revision).await
    }
}
