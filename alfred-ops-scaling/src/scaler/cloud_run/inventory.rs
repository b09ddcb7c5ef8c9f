//! What Cloud Run has in a region.

use std::collections::BTreeMap;
use std::fmt;

use alfred_ops_core::{Error, ErrorKind, Result};
use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::paginator::{ItemPaginator as _, Paginator as _};
use google_cloud_run_v2::client::{Executions, Jobs, Revisions, Services, WorkerPools};
use google_cloud_run_v2::model::{Container, Service};

use super::CloudRunOptions;
use super::client::{failed_build, prepared};
use super::failure::classify;

/// As many of a kind are read.
const ITEMS_MAX: usize = 20_000;
const DENIED: &str = "grant the host's service account roles/run.viewer on the project";

/// What Cloud Run has in one region of a project, and of which images it is made: services and worker pools with all their
/// revisions, jobs with all their executions.
///
/// The API needs `roles/run.viewer` for it. Images are named as whoever deployed them named them: the API does not tell which
/// digest a tag meant then. A failed request is not repeated here.
pub struct CloudRunInventory {
    services: Services,
    worker_pools: WorkerPools,
    revisions: Revisions,
    jobs: Jobs,
    executions: Executions,
    location: String,
}

impl CloudRunInventory {
    /// The inventory of a region, as [`CloudRunOptions::region`] names it. Nothing is asked yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for the options of a service or worker pool; [`ErrorKind::PermissionDenied`] if the clients
    /// cannot be built, which means that there are no credentials.
    pub async fn connect(options: CloudRunOptions) -> Result<Self> {
        options.check_is_region()?;
        let failed = |source| failed_build(&options.name, source);
        Ok(Self {
            services: prepared(Services::builder(), &options).build().await.map_err(failed)?,
            worker_pools: prepared(WorkerPools::builder(), &options).build().await.map_err(failed)?,
            revisions: prepared(Revisions::builder(), &options).build().await.map_err(failed)?,
            jobs: prepared(Jobs::builder(), &options).build().await.map_err(failed)?,
            executions: prepared(Executions::builder(), &options).build().await.map_err(failed)?,
            location: options.name,
        })
    }

    /// The region: `projects/P/locations/L`.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The images of each resource, by its full name. What has revisions or executions is read before these, so that whatever is
    /// handed on meanwhile is seen. Dropping the future has no effect.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] with the role that is missing; [`ErrorKind::Unavailable`] if a part of the region cannot be
    /// reached; [`ErrorKind::ResourceExhausted`] if there are more than 20,000 of a kind; else as the API fails.
    pub async fn images(&self) -> Result<BTreeMap<String, Vec<String>>> {
        let mut found = Found::default();
        self.read_services(&mut found).await?;
        self.read_revisions(&format!("{}/services/-", self.location), &mut found).await?;
        for pool in self.read_worker_pools(&mut found).await? {
            self.read_revisions(&pool, &mut found).await?;
        }
        self.read_jobs(&mut found).await?;
        self.read_executions(&mut found).await?;
        Ok(found.images)
    }

    async fn read_services(&self, found: &mut Found) -> Result<()> {
        const OPERATION: &str = "list services";
        let mut pages = self.services.list_services().set_parent(&self.location).by_page();
        let mut count = 0;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failed(OPERATION, error))?;
            if let Some(silent) = page.unreachable.first() {
                let fault = format!("{silent} cannot be reached");
                return Err(Error::new(ErrorKind::Unavailable, OPERATION, fault).with_target(&self.location));
            }
            for Service { name, template, .. } in page.services {
                self.check_count(OPERATION, &mut count)?;
                found.add(name, template.map(|template| template.containers));
            }
        }
        Ok(())
    }

    async fn read_revisions(&self, parent: &str, found: &mut Found) -> Result<()> {
        const OPERATION: &str = "list revisions";
        let mut items = self.revisions.list_revisions().set_parent(parent).by_item();
        let mut count = 0;
        while let Some(item) = items.next().await {
            let revision = item.map_err(|error| self.failed(OPERATION, error))?;
            self.check_count(OPERATION, &mut count)?;
            found.add(revision.name, Some(revision.containers));
        }
        Ok(())
    }

    /// Returns their names.
    async fn read_worker_pools(&self, found: &mut Found) -> Result<Vec<String>> {
        const OPERATION: &str = "list worker pools";
        let mut items = self.worker_pools.list_worker_pools().set_parent(&self.location).by_item();
        let (mut count, mut names) = (0, Vec::new());
        while let Some(item) = items.next().await {
            let pool = item.map_err(|error| self.failed(OPERATION, error))?;
            self.check_count(OPERATION, &mut count)?;
            names.push(pool.name.clone());
            found.add(pool.name, pool.template.map(|template| template.containers));
        }
        Ok(names)
    }

    async fn read_jobs(&self, found: &mut Found) -> Result<()> {
        const OPERATION: &str = "list jobs";
        let mut items = self.jobs.list_jobs().set_parent(&self.location).by_item();
        let mut count = 0;
        while let Some(item) = items.next().await {
            let job = item.map_err(|error| self.failed(OPERATION, error))?;
            self.check_count(OPERATION, &mut count)?;
            let task = job.template.and_then(|execution| execution.template);
            found.add(job.name, task.map(|task| task.containers));
        }
        Ok(())
    }

    async fn read_executions(&self, found: &mut Found) -> Result<()> {
        const OPERATION: &str = "list executions";
        let parent = format!("{}/jobs/-", self.location);
        let mut items = self.executions.list_executions().set_parent(parent).by_item();
        let mut count = 0;
        while let Some(item) = items.next().await {
            let execution = item.map_err(|error| self.failed(OPERATION, error))?;
            self.check_count(OPERATION, &mut count)?;
            found.add(execution.name, execution.template.map(|task| task.containers));
        }
        Ok(())
    }

    fn check_count(&self, operation: &'static str, count: &mut usize) -> Result<()> {
        *count += 1;
        if *count <= ITEMS_MAX {
            return Ok(());
        }
        let fault = format!("there are more than {ITEMS_MAX}");
        Err(Error::new(ErrorKind::ResourceExhausted, operation, fault)
            .with_target(&self.location)
            .with_remedy("delete what nobody needs"))
    }

    fn failed(&self, operation: &'static str, error: google_cloud_gax::error::Error) -> Error {
        let denied = error.status().is_some_and(|status| status.code == Code::PermissionDenied);
        let classified = classify(operation, &self.location, error);
        if denied { classified.with_remedy(DENIED) } else { classified }
    }
}

impl fmt::Debug for CloudRunInventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudRunInventory").field("location", &self.location).finish_non_exhaustive()
    }
}

/// What was read so far.
#[derive(Default)]
struct Found {
    images: BTreeMap<String, Vec<String>>,
}

impl Found {
    /// What is built from source has no image until it was built.
    fn add(&mut self, name: String, containers: Option<Vec<Container>>) {
        let images = containers.into_iter().flatten().map(|container| container.image);
        self.images.entry(name).or_default().extend(images.filter(|image| !image.is_empty()));
    }
}
