//! The target itself.

use std::collections::BTreeMap;
use std::fmt;

use alfred_ops_core::{Error, ErrorKind, Result};
use alfred_ops_scaling::{CloudRunApi, CloudRunOptions};
use async_trait::async_trait;
use google_cloud_gax::paginator::ItemPaginator as _;
use google_cloud_run_v2::client::{Revisions, Services};
use google_cloud_run_v2::model::{Revision, Service};
use google_cloud_wkt::FieldMask;

use super::revision::{template_of, view_of, view_of_template, with_image};
use super::traffic::{entries, short, split_of};
use crate::rollout::{Release, RolloutTarget, TargetView, TrafficSplit};

/// The most revisions that are looked at. Cloud Run keeps 1,000 of a service.
const REVISIONS_MAX: usize = 2_000;
const PAGE_SIZE: i32 = 100;

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
/// `Ok` of a change says that Cloud Run has accepted it. A request is made once.
pub struct CloudRunRollout {
    api: CloudRunApi,
    services: Services,
    revisions: Revisions,
}

impl CloudRunRollout {
    /// A target of the service that [`CloudRunOptions::new`] names. Nothing is asked yet. The client is made as
    /// [`CloudRunApi`] says.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for the options of a worker pool; [`ErrorKind::PermissionDenied`] if there are no credentials.
    pub async fn connect(options: CloudRunOptions) -> Result<Self> {
        let api = CloudRunApi::of_service(options)?;
        Ok(Self { services: api.services().await?, revisions: api.revisions().await?, api })
    }

    async fn read(&self) -> Result<Service> {
        let answer = self.services.get_service().set_name(self.api.name()).send().await;
        answer.map_err(|error| self.api.failed("read service", error))
    }

    /// The service, if it is at this version.
    async fn read_at(&self, operation: &'static str, version: &str) -> Result<Service> {
        let service = self.read().await?;
        if service.etag.is_empty() {
            // A change without an etag would be unconditional.
            let fault = "the service shows no etag";
            return Err(Error::new(ErrorKind::Unsupported, operation, fault).with_target(self.api.name()));
        }
        if service.etag == version { Ok(service) } else { Err(self.changed(operation)) }
    }

    fn full(&self, revision: &str) -> String {
        format!("{}/revisions/{revision}", self.api.name())
    }

    async fn read_revision(&self, revision: &str) -> Result<Revision> {
        let answer = self.revisions.get_revision().set_name(self.full(revision)).send().await;
        answer.map_err(|error| self.api.failed("read revision", error).with_target(self.full(revision)))
    }

    async fn list(&self) -> Result<Vec<Revision>> {
        let request = self.revisions.list_revisions().set_parent(self.api.name()).set_page_size(PAGE_SIZE);
        let mut items = request.by_item();
        let mut found = Vec::new();
        while let Some(item) = items.next().await {
            found.push(item.map_err(|error| self.api.failed("list revisions", error))?);
            if found.len() > REVISIONS_MAX {
                let fault = format!("there are more than {REVISIONS_MAX} revisions");
                return Err(Error::new(ErrorKind::ResourceExhausted, "list revisions", fault)
                    .with_target(self.api.name())
                    .with_remedy("delete old revisions"));
            }
        }
        Ok(found)
    }

    /// Sends a change of the masked fields.
    async fn update(&self, operation: &'static str, change: Service, mask: &[&str]) -> Result<()> {
        let version = change.etag.clone();
        let change = change.set_name(self.api.name());
        let mask = FieldMask::default().set_paths(mask.iter().copied());
        let sent = self.services.update_service().set_service(change).set_update_mask(mask).send().await;
        match sent {
            Ok(accepted) => match accepted.error() {
                Some(status) => {
                    let error = Error::new(ErrorKind::InvalidInput, operation, status.message.clone());
                    Err(self.explained(operation, &version, error.with_target(self.api.name())).await)
                }
                None => Ok(()),
            },
            Err(error) => Err(self.explained(operation, &version, self.api.failed(operation, error)).await),
        }
    }

    /// A refusal is a conflict if the service has changed, and only then: a repeat of one that has another reason would be refused
    /// again.
    async fn explained(&self, operation: &'static str, version: &str, error: Error) -> Error {
        if !matches!(error.kind(), ErrorKind::Conflict | ErrorKind::InvalidInput) {
            return error;
        }
        match self.read().await {
            Ok(service) if service.etag != version => self.changed(operation).with_source(error),
            Ok(_) if error.kind() == ErrorKind::Conflict => Error::new(
                ErrorKind::Unavailable,
                operation,
                "the API refuses it, and shows the service unchanged",
            )
            .with_target(self.api.name())
            .with_source(error),
            _ => error,
        }
    }

    fn changed(&self, operation: &'static str) -> Error {
        Error::new(ErrorKind::Conflict, operation, "the service was changed meanwhile")
            .with_target(self.api.name())
    }

    fn refused(&self, operation: &'static str, fault: String, remedy: &'static str) -> Error {
        Error::new(ErrorKind::InvalidInput, operation, fault).with_target(self.api.name()).with_remedy(remedy)
    }

    /// Has the service's template no longer be that of `revision`, which makes a newer revision.
    async fn restore_template(&self, service: Service, revision: &str) -> Result<()> {
        let stable =
            split_of(&service).and_then(|split| split.only().map(str::to_owned)).ok_or_else(|| {
                let fault =
                    format!("{revision} is the newest, and no one revision has all traffic to follow it");
                self.refused("remove revision", fault, "give all traffic to one revision")
            })?;
        let template = template_of(&self.read_revision(&stable).await?, service.template);
        let change = Service::new().set_etag(service.etag).set_template(template);
        self.update("restore template", change, &["template"]).await
    }
}

#[async_trait]
impl RolloutTarget for CloudRunRollout {
    fn name(&self) -> &str {
        self.api.name()
    }

    fn check(&self, release: &Release) -> Result<()> {
        let service = short(self.api.name());
        let suffix = release.revision.strip_prefix(service).and_then(|rest| rest.strip_prefix('-'));
        if suffix.is_none_or(str::is_empty) {
            let fault = format!("revision: {:?} does not begin with {service}-", release.revision);
            return Err(self.refused("check release", fault, "call it SERVICE-SUFFIX"));
        }
        if !release.image.contains("@sha256:") {
            let fault = format!("image: {:?} is not named by digest", release.image);
            return Err(self.refused("check release", fault, "give registry/repository@sha256:digest"));
        }
        Ok(())
    }

    /// Revisions first: one that is gone by the time the service is read is at worst looked for once more, whereas traffic is always
    /// that of the version.
    async fn observe(&self) -> Result<TargetView> {
        let listed = self.list().await?;
        let service = self.read().await?;
        let existing = listed.iter().filter(|revision| revision.delete_time.is_none());
        let mut revisions: BTreeMap<_, _> =
            existing.map(|revision| (short(&revision.name).to_owned(), view_of(revision))).collect();
        if let Some(template) = service.template.as_ref().filter(|_| service.reconciling)
            && !template.revision.is_empty()
        {
            revisions.entry(template.revision.clone()).or_insert_with(|| view_of_template(template));
        }
        Ok(TargetView {
            version: service.etag.clone(),
            revisions,
            split: split_of(&service),
            under_way: None,
        })
    }

    async fn create_candidate(&self, version: &str, stable: &str, release: &Release) -> Result<()> {
        const OPERATION: &str = "create revision";
        self.check(release)?;
        let service = self.read_at(OPERATION, version).await?;
        let Some(split) = split_of(&service) else {
            let fault = "the traffic does not go to named revisions".to_owned();
            return Err(self.refused(OPERATION, fault, "give all traffic to one ready revision"));
        };
        let template = template_of(&self.read_revision(stable).await?, service.template);
        let template = with_image(template, &release.image).set_revision(&release.revision);
        let change = Service::new()
            .set_etag(version)
            .set_template(template)
            .set_traffic(entries(&service.traffic, &split));
        self.update(OPERATION, change, &["template", "traffic"]).await
    }

    async fn set_traffic(&self, version: &str, split: &TrafficSplit) -> Result<()> {
        const OPERATION: &str = "split traffic";
        let service = self.read_at(OPERATION, version).await?;
        let change = Service::new().set_etag(version).set_traffic(entries(&service.traffic, split));
        self.update(OPERATION, change, &["traffic"]).await
    }

    /// The newest revision takes two calls: the first makes another one the newest.
    async fn retire(&self, version: &str, revision: &str) -> Result<()> {
        const OPERATION: &str = "remove revision";
        let service = self.read_at(OPERATION, version).await?;
        let named = |entry: &&google_cloud_run_v2::model::TrafficTarget| entry.revision == revision;
        if let Some(entry) = service.traffic.iter().find(named) {
            let fault = format!("{revision} has {} % of the traffic, tag {:?}", entry.percent, entry.tag);
            return Err(self.refused(OPERATION, fault, "take its traffic and its tags away"));
        }
        if service.template.as_ref().is_some_and(|template| template.revision == revision) {
            return self.restore_template(service, revision).await;
        }
        let etag = self.read_revision(revision).await?.etag;
        let removal = self.revisions.delete_revision().set_name(self.full(revision)).set_etag(etag);
        match self.api.settled(OPERATION, removal.poller()).await {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(self.explained(OPERATION, version, error.with_target(self.full(revision))).await)
            }
        }
    }
}

impl fmt::Debug for CloudRunRollout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CloudRunRollout").field(&self.api.name()).finish()
    }
}
