//! Which resource, and how to reach the Admin API.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};

/// The API answers within seconds, or not at all.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// A change of the count is done within seconds; one that is not must not keep the next decision waiting.
const OPERATION_LIMIT: Duration = Duration::from_secs(120);

/// Which service or worker pool, and how to reach the Admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloudRunOptions {
    /// The full name: `projects/P/locations/L/services/S`, or `…/workerPools/W`; of a region without the last part.
    pub name: String,
    /// The API's URL, where it is not Google's. Such a server is asked without credentials.
    pub endpoint: Option<String>,
    /// The first pause between two looks at an operation; later ones are longer.
    pub poll_after: Duration,
    /// One request may take so long.
    pub request_limit: Duration,
    /// Between the start of a change and its end there may be so long.
    pub operation_limit: Duration,
}

impl CloudRunOptions {
    /// A service of Google's Cloud Run, used with the host's application default credentials.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a part that is empty or holds a `/`.
    pub fn new(project: &str, location: &str, service: &str) -> Result<Self> {
        Self::of(project, location, "services", service)
    }

    /// A worker pool of Google's Cloud Run, whose instances get no requests and pull their work.
    ///
    /// # Errors
    /// As of [`new`](Self::new).
    pub fn worker_pool(project: &str, location: &str, pool: &str) -> Result<Self> {
        Self::of(project, location, "workerPools", pool)
    }

    /// All of a project's region, for a [`CloudRunInventory`](super::CloudRunInventory).
    ///
    /// # Errors
    /// As of [`new`](Self::new).
    pub fn region(project: &str, location: &str) -> Result<Self> {
        let mut options = Self::of(project, location, "services", "-")?;
        options.name = format!("projects/{project}/locations/{location}");
        Ok(options)
    }

    fn of(project: &str, location: &str, kind: &str, name: &str) -> Result<Self> {
        let what = if kind == "services" { "service" } else { "worker pool" };
        for (field, value) in [("project", project), ("location", location), (what, name)] {
            if value.is_empty() || value.contains('/') {
                let message = format!("{field}: {value:?} is no name");
                return Err(Error::new(ErrorKind::InvalidInput, "name Cloud Run resource", message)
                    .with_remedy("give the bare name, without slashes"));
            }
        }
        Ok(Self {
            name: format!("projects/{project}/locations/{location}/{kind}/{name}"),
            endpoint: None,
            poll_after: Duration::from_secs(1),
            request_limit: REQUEST_LIMIT,
            operation_limit: OPERATION_LIMIT,
        })
    }

    /// Refuses the name of something else.
    pub(super) fn check_is(&self, kind: &str) -> Result<()> {
        if self.name.contains(&format!("/{kind}/")) {
            return Ok(());
        }
        let message = format!("the name is not one of {kind}");
        Err(Error::new(ErrorKind::InvalidInput, "connect to Cloud Run", message)
            .with_target(&self.name)
            .with_remedy(
                "make services with CloudRunOptions::new and worker pools with CloudRunOptions::worker_pool",
            ))
    }

    /// Refuses the name of less than a region.
    pub(super) fn check_is_region(&self) -> Result<()> {
        if self.name.matches('/').count() == 3 {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidInput, "connect to Cloud Run", "the name is not that of a region")
            .with_target(&self.name)
            .with_remedy("make it with CloudRunOptions::region"))
    }

    /// Another server, such as `http://127.0.0.1:9000`, asked without credentials.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Other limits on how long one request, and one change from its start to its end, may take.
    #[must_use]
    pub fn with_limits(mut self, request: Duration, operation: Duration) -> Self {
        (self.request_limit, self.operation_limit) = (request, operation);
        self
    }

    /// Another first pause between two looks at an operation.
    #[must_use]
    pub fn with_poll_after(mut self, poll_after: Duration) -> Self {
        self.poll_after = poll_after;
        self
    }
}
