//! What rollouts of services and of worker pools have in common.

use std::collections::BTreeMap;
use std::fmt;

use alfred_ops_core::{Error, ErrorKind, Result};
use alfred_ops_scaling::CloudRunApi;
use google_cloud_gax::paginator::ItemPaginator as _;
use google_cloud_run_v2::client::Revisions;
use google_cloud_run_v2::model::Revision;
use google_cloud_wkt::FieldMask;

use super::resource::{Entry as _, Resource, Template as _, To};
use super::revision::{template_of, view_of, view_of_template, with_image};
use super::split::{entries, short, split_of, under_way};
use crate::rollout::{Release, TargetView};

/// The most revisions that are looked at. Cloud Run keeps 1,000 of a service or worker pool.
const REVISIONS_MAX: usize = 2_000;
const PAGE_SIZE: i32 = 100;

/// A service or worker pool, with its revisions and its split. A request is made once.
pub(super) struct CloudRunTarget<R: Resource> {
    api: CloudRunApi,
    client: R::Client,
    revisions: Revisions,
}

impl<R: Resource> CloudRunTarget<R> {
    pub(super) async fn connect(api: CloudRunApi) -> Result<Self> {
        Ok(Self { client: R::connect(&api).await?, revisions: api.revisions().await?, api })
    }

    /// The full name.
    pub(super) fn name(&self) -> &str {
        self.api.name()
    }

    async fn read(&self) -> Result<R> {
        let operation = if R::NOUN == "service" { "read service" } else { "read worker pool" };
        R::get(&self.client, self.name()).await.map_err(|error| self.api.failed(operation, error))
    }

    /// What is there, if it is at this version.
    pub(super) async fn read_at(&self, operation: &'static str, version: &str) -> Result<R> {
        let resource = self.read().await?;
        if resource.etag().is_empty() {
            // A change without an etag would be unconditional.
            let fault = format!("the {} shows no etag", R::NOUN);
            return Err(Error::new(ErrorKind::Unsupported, operation, fault).with_target(self.name()));
        }
        if resource.etag() == version { Ok(resource) } else { Err(self.changed(operation)) }
    }

    fn full(&self, revision: &str) -> String {
        format!("{}/revisions/{revision}", self.name())
    }

    async fn read_revision(&self, revision: &str) -> Result<Revision> {
        let answer = self.revisions.get_revision().set_name(self.full(revision)).send().await;
        answer.map_err(|error| self.api.failed("read revision", error).with_target(self.full(revision)))
    }

    async fn list(&self) -> Result<Vec<Revision>> {
        let request = self.revisions.list_revisions().set_parent(self.name()).set_page_size(PAGE_SIZE);
        let mut items = request.by_item();
        let mut found = Vec::new();
        while let Some(item) = items.next().await {
            found.push(item.map_err(|error| self.api.failed("list revisions", error))?);
            if found.len() > REVISIONS_MAX {
                let fault = format!("there are more than {REVISIONS_MAX} revisions");
                return Err(Error::new(ErrorKind::ResourceExhausted, "list revisions", fault)
                    .with_target(self.name())
                    .with_remedy("delete old revisions"));
            }
        }
        Ok(found)
    }

    /// A change of what has this version.
    pub(super) fn change(&self, version: &str) -> R {
        R::change(self.name(), version)
    }

    /// Sends a change of the masked fields. `Ok` says that Cloud Run has accepted it.
    pub(super) async fn update(&self, operation: &'static str, change: R, mask: &[&str]) -> Result<()> {
        let version = change.etag().to_owned();
        let mask = FieldMask::default().set_paths(mask.iter().copied());
        let error = match R::update(&self.client, change, mask).await {
            Ok(None) => return Ok(()),
            Ok(Some(fault)) => Error::new(ErrorKind::InvalidInput, operation, fault).with_target(self.name()),
            Err(error) => self.api.failed(operation, error),
        };
        Err(self.explained(operation, &version, error).await)
    }

    /// A refusal is a conflict if the resource has changed, and only then: a repeat of one that has another reason would be
    /// refused again.
    async fn explained(&self, operation: &'static str, version: &str, error: Error) -> Error {
        if !matches!(error.kind(), ErrorKind::Conflict | ErrorKind::InvalidInput) {
            return error;
        }
        match self.read().await {
            Ok(resource) if resource.etag() != version => self.changed(operation).with_source(error),
            Ok(_) if error.kind() == ErrorKind::Conflict => {
                let fault = format!("the API refuses it, and shows the {} unchanged", R::NOUN);
                Error::new(ErrorKind::Unavailable, operation, fault)
                    .with_target(self.name())
                    .with_source(error)
            }
            _ => error,
        }
    }

    fn changed(&self, operation: &'static str) -> Error {
        let fault = format!("the {} was changed meanwhile", R::NOUN);
        Error::new(ErrorKind::Conflict, operation, fault).with_target(self.name())
    }

    pub(super) fn refused(&self, operation: &'static str, fault: String, remedy: &'static str) -> Error {
        Error::new(ErrorKind::InvalidInput, operation, fault).with_target(self.name()).with_remedy(remedy)
    }

    /// Refuses what Cloud Run would not call a revision of this resource, and an image that a revision may show otherwise.
    pub(super) fn check(&self, release: &Release) -> Result<()> {
        let own = short(self.name());
        let suffix = release.revision.strip_prefix(own).and_then(|rest| rest.strip_prefix('-'));
        if suffix.is_none_or(str::is_empty) {
            let fault = format!("revision: {:?} does not begin with {own}-", release.revision);
            return Err(self.refused(
                "check release",
                fault,
                "call it by the resource's name, a hyphen and a suffix",
            ));
        }
        if !release.image.contains("@sha256:") {
            let fault = format!("image: {:?} is not named by digest", release.image);
            return Err(self.refused("check release", fault, "give registry/repository@sha256:digest"));
        }
        Ok(())
    }

    /// What is there, with the split as it is configured, and that it is under way while Cloud Run makes another.
    ///
    /// Revisions first: one that is gone by the time the resource is read is at worst looked for once more, whereas the split is
    /// always that of the version.
    pub(super) async fn observe(&self) -> Result<(TargetView, R)> {
        let listed = self.list().await?;
        let resource = self.read().await?;
        let existing = listed.iter().filter(|revision| revision.delete_time.is_none());
        let mut revisions: BTreeMap<_, _> =
            existing.map(|revision| (short(&revision.name).to_owned(), view_of(revision))).collect();
        if let Some(template) = resource.template().filter(|_| resource.reconciling())
            && !template.revision().is_empty()
        {
            revisions.entry(template.revision().to_owned()).or_insert_with(|| view_of_template(template));
        }
        let (version, split) = (resource.etag().to_owned(), split_of(&resource));
        let under_way = under_way(&resource);
        Ok((TargetView { version, revisions, split, under_way }, resource))
    }

    /// Makes the candidate, and names all revisions of the split, or `LATEST` would be the candidate.
    pub(super) async fn create_candidate(
        &self,
        version: &str,
        stable: &str,
        release: &Release,
    ) -> Result<()> {
        const OPERATION: &str = "create revision";
        self.check(release)?;
        let resource = self.read_at(OPERATION, version).await?;
        let Some(split) = split_of(&resource) else {
            let fault = format!("the {} are not split among named revisions", R::GOODS);
            return Err(self.refused(OPERATION, fault, "give everything to one ready revision"));
        };
        let template = template_of(&self.read_revision(stable).await?, resource.template());
        let template = with_image(template, &release.image).with_revision(&release.revision);
        let change = self.change(version).with_template(template);
        let change = change.with_entries(entries(resource.entries(), &split));
        self.update(OPERATION, change, &["template", R::SPLIT]).await
    }

    /// Removes a revision that has no share. The newest one takes two calls: the first makes another one the newest.
    pub(super) async fn retire(&self, version: &str, revision: &str) -> Result<()> {
        const OPERATION: &str = "remove revision";
        let resource = self.read_at(OPERATION, version).await?;
        if let Some(entry) = resource.entries().iter().find(|entry| entry.to() == To::Revision(revision)) {
            let mut fault = format!("{revision} has {} % of the {}", entry.percent(), R::GOODS);
            if !entry.tag().is_empty() {
                fault = format!("{fault}, tag {:?}", entry.tag());
            }
            return Err(self.refused(OPERATION, fault, "take its share and its tags away"));
        }
        if resource.template().is_some_and(|template| template.revision() == revision) {
            // Two templates within one future would make it large.
            return Box::pin(self.restore_template(resource, revision)).await;
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

    /// Has the resource's template no longer be that of `revision`, which makes a newer revision.
    async fn restore_template(&self, resource: R, revision: &str) -> Result<()> {
        let split = split_of(&resource);
        let Some(stable) = split.as_ref().and_then(|split| split.only()) else {
            let fault = format!("{revision} is the newest, and no one revision has everything to follow it");
            return Err(self.refused("remove revision", fault, "give everything to one revision"));
        };
        let template = template_of(&self.read_revision(stable).await?, resource.template());
        let change = self.change(resource.etag()).with_template(template);
        self.update("restore template", change, &["template"]).await
    }
}

impl<R: Resource> fmt::Debug for CloudRunTarget<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CloudRunTarget").field(&self.name()).finish()
    }
}
