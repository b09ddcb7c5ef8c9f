//! The scaler itself.

use std::fmt;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result, Retry};
use async_trait::async_trait;
use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::exponential_backoff::ExponentialBackoffBuilder;
use google_cloud_gax::polling_error_policy::{Aip194Strict, PollingErrorPolicyExt as _};
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_lro::{Poller as _, PollingResult};
use google_cloud_run_v2::builder::services::UpdateService;
use google_cloud_run_v2::client::Services;
use google_cloud_run_v2::model::service_scaling::ScalingMode;
use google_cloud_run_v2::model::{Service, ServiceScaling};
use google_cloud_wkt::FieldMask;
use rustls::crypto::CryptoProvider;

use super::CloudRunOptions;
use super::failure::classify;
use crate::scaler::{Current, Limits, Outcome, Precondition, Scaler};

/// The most instances of one service that Cloud Run allows without a raised quota.
const LIMITS: Limits = Limits { min: 0, max: 1000 };
/// Between two looks at an operation, at most.
const POLL_MAX: Duration = Duration::from_secs(10);

/// A service on Cloud Run, scaled through the Admin API v2.
///
/// In automatic mode it sets `scaling.minInstanceCount` and leaves what lies above to Cloud Run; in manual
/// mode it sets `scaling.manualInstanceCount`. Neither makes a new revision. A change names the etag that
/// it was decided on. The API knows only the configured number, so `running` is unknown.
///
/// A failed request is not repeated here: the next tick looks again. Only looks at a change under way are
/// repeated, with a growing pause, until the options' limit.
pub struct CloudRunScaler {
    client: Services,
    service: String,
}

impl CloudRunScaler {
    /// A scaler of one service. Nothing is asked yet.
    ///
    /// Google's client takes its TLS provider from the process. Where the host has installed none, this
    /// installs aws-lc-rs.
    ///
    /// # Errors
    /// If the client cannot be built, which means that there are no credentials.
    pub async fn connect(options: CloudRunOptions) -> Result<Self> {
        if CryptoProvider::get_default().is_none() {
            // A host that installs its own at this very moment has won, which is as good.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        let backoff = ExponentialBackoffBuilder::new()
            .with_initial_delay(options.poll_after)
            .with_maximum_delay(POLL_MAX.max(options.poll_after))
            .clamp();
        let mut builder = Services::builder()
            .with_polling_backoff_policy(backoff)
            .with_retry_policy(NeverRetry)
            .with_polling_error_policy(Aip194Strict.with_time_limit(options.operation_limit))
            .with_attempt_timeout(options.request_limit);
        if let Some(endpoint) = options.endpoint {
            builder = builder.with_endpoint(endpoint).with_credentials(anonymous::Builder::new().build());
        }
        let client = builder.build().await.map_err(|source| {
            Error::new(ErrorKind::PermissionDenied, "connect to Cloud Run", "the client cannot be built")
                .with_target(&options.service)
                .with_remedy("give the host application default credentials")
                .with_source(source)
        })?;
        Ok(Self { client, service: options.service })
    }

    async fn read(&self) -> Result<Service> {
        let answer = self.client.get_service().set_name(&self.service).send().await;
        answer.map_err(|error| classify("read service", &self.service, error))
    }

    /// The request that sets the number. Only the one field is in the mask.
    fn change(&self, target: u32, manual: bool, etag: &str) -> Result<UpdateService> {
        LIMITS.check(&self.service, target)?;
        let target = i32::try_from(target).map_err(|_| {
            Error::new(ErrorKind::InvalidInput, "scale", format!("{target} instances are too many"))
        })?;
        let (scaling, field) = if manual {
            (ServiceScaling::new().set_manual_instance_count(target), "scaling.manualInstanceCount")
        } else {
            (ServiceScaling::new().set_min_instance_count(target), "scaling.minInstanceCount")
        };
        let service = Service::new().set_name(&self.service).set_etag(etag).set_scaling(scaling);
        let mask = FieldMask::default().set_paths([field]);
        Ok(self.client.update_service().set_service(service).set_update_mask(mask))
    }
}

fn is_manual(service: &Service) -> bool {
    service.scaling.as_ref().is_some_and(|scaling| scaling.scaling_mode == ScalingMode::Manual)
}

fn configured(service: &Service) -> u32 {
    let count = service.scaling.as_ref().map_or(0, |scaling| {
        if is_manual(service) {
            scaling.manual_instance_count.unwrap_or(0)
        } else {
            scaling.min_instance_count
        }
    });
    u32::try_from(count).unwrap_or(0)
}

/// The precondition: the mode that decides on the field, and the etag.
fn precondition_of(service: &Service) -> Precondition {
    let mode = if is_manual(service) { "manual" } else { "automatic" };
    Precondition::new(format!("{mode} {}", service.etag))
}

#[async_trait]
impl Scaler for CloudRunScaler {
    fn name(&self) -> &str {
        &self.service
    }

    fn limits(&self) -> Limits {
        LIMITS
    }

    async fn current(&self) -> Result<Current> {
        let service = self.read().await?;
        Ok(Current {
            configured: configured(&service),
            running: None,
            precondition: precondition_of(&service),
        })
    }

    async fn plan(&self, target: u32) -> Result<String> {
        let service = self.read().await?;
        let change = self.change(target, is_manual(&service), &service.etag)?.set_validate_only(true);
        change.send().await.map_err(|error| classify("plan", &self.service, error))?;
        let field = if is_manual(&service) { "manualInstanceCount" } else { "minInstanceCount" };
        Ok(format!("{}: scaling.{field} from {} to {target}", self.service, configured(&service)))
    }

    async fn scale(&self, target: u32, precondition: &Precondition) -> Result<Outcome> {
        // Without an etag the change would be unconditional.
        let token = precondition.token().split_once(' ').filter(|(_, etag)| !etag.is_empty());
        let (mode, etag) = token.ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "scale", "the precondition names no etag of this service")
                .with_target(&self.service)
                .with_remedy("name the precondition that `current` returned")
        })?;
        let mut change = self.change(target, mode == "manual", etag)?.poller();
        let failed = |error| classify("scale", &self.service, error);
        let done = match change.poll().await {
            Some(PollingResult::Completed(done)) => done.map_err(failed)?,
            // The change has been accepted: whatever fails from here on, it may have been made.
            _ => change.until_done().await.map_err(|error| failed(error).with_retry(Retry::Unknown))?,
        };
        Ok(Outcome { configured: configured(&done), precondition: precondition_of(&done) })
    }
}

impl fmt::Debug for CloudRunScaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CloudRunScaler").field(&self.service).finish()
    }
}
