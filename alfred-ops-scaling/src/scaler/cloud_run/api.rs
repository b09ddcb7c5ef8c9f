//! The clients of the Admin API.

use alfred_ops_core::{Error, Result};
use google_cloud_lro::Poller;
use google_cloud_run_v2::client::{Revisions, Services, WorkerPools};

use super::CloudRunOptions;
use super::client::{failed_build, prepared, settled};
use super::failure::classify;

/// Google's clients as [`CloudRunOptions`] want them, and what their errors mean: what every part that asks the Admin API
/// shares.
///
/// A client of its makes each request once: whoever asks decides about a repeat. Google's clients take their TLS provider from
/// the process; where the host has installed none, this installs aws-lc-rs.
#[derive(Debug, Clone)]
pub struct CloudRunApi {
    options: CloudRunOptions,
}

impl CloudRunApi {
    /// Of a service. Nothing is asked yet.
    ///
    /// # Errors
    /// [`InvalidInput`](alfred_ops_core::ErrorKind::InvalidInput) for the options of a worker pool.
    pub fn of_service(options: CloudRunOptions) -> Result<Self> {
        options.check_is("services")?;
        Ok(Self { options })
    }

    /// Of a worker pool. Nothing is asked yet.
    ///
    /// # Errors
    /// [`InvalidInput`](alfred_ops_core::ErrorKind::InvalidInput) for the options of a service.
    pub fn of_worker_pool(options: CloudRunOptions) -> Result<Self> {
        options.check_is("workerPools")?;
        Ok(Self { options })
    }

    /// The full name of the service or worker pool.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// A client of services.
    ///
    /// # Errors
    /// [`PermissionDenied`](alfred_ops_core::ErrorKind::PermissionDenied) if it cannot be built, which means that there are
    /// no credentials.
    pub async fn services(&self) -> Result<Services> {
        let client = prepared(Services::builder(), &self.options).build().await;
        client.map_err(|source| failed_build(self.name(), source))
    }

    /// A client of worker pools.
    ///
    /// # Errors
    /// As of [`services`](Self::services).
    pub async fn worker_pools(&self) -> Result<WorkerPools> {
        let client = prepared(WorkerPools::builder(), &self.options).build().await;
        client.map_err(|source| failed_build(self.name(), source))
    }

    /// A client of the revisions of services.
    ///
    /// # Errors
    /// As of [`services`](Self::services).
    pub async fn revisions(&self) -> Result<Revisions> {
        let client = prepared(Revisions::builder(), &self.options).build().await;
        client.map_err(|source| failed_build(self.name(), source))
    }

    /// Follows a change to its end, within the options' limit. Once the API has accepted it, an error says that it may have been
    /// made.
    ///
    /// # Errors
    /// As of [`failed`](Self::failed).
    pub async fn settled<R, M>(&self, operation: &'static str, change: impl Poller<R, M>) -> Result<R> {
        settled(operation, self.name(), change).await
    }

    /// What an error of one of the clients means, with a remedy. `operation` is a verb phrase.
    ///
    /// `Conflict` says that the API wants the caller to look again; `Timeout`, that the change may have been made.
    #[must_use]
    pub fn failed(&self, operation: &'static str, error: google_cloud_gax::error::Error) -> Error {
        classify(operation, self.name(), error)
    }
}
