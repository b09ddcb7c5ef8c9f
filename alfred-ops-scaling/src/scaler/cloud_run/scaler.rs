//! The scaler itself.

use std::fmt;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;
use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::exponential_backoff::ExponentialBackoffBuilder;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_lro::Poller as _;
use google_cloud_run_v2::builder::services::UpdateService;
use google_cloud_run_v2::client::Services;
use google_cloud_run_v2::model::service_scaling::ScalingMode;
use google_cloud_run_v2::model::{Service, ServiceScaling};
use google_cloud_wkt::FieldMask;
use rustls::crypto::CryptoProvider;

use super::CloudRunOptions;
use super::failure::classify;
use crate::scaler::{Current, Limits, Precondition, Scaler};

/// The most instances of one service that Cloud Run allows without a raised quota.
const LIMITS: Limits = Limits { min: 0, max: 1000 };
/// One request may take so long.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(30);
/// Between two looks at an operation, at most.
const POLL_MAX: Duration = Duration::from_secs(10);

/// A service on Cloud Run, scaled through the Admin API v2.
///
/// In automatic mode it sets `scaling.minInstanceCount` and leaves what lies above to Cloud Run; in manual
/// mode it sets `scaling.manualInstanceCount`. Neither makes a new revision. A change names the etag that
/// it was decided on. The API knows only the configured number, so `running` is unknown.
///
/// A failed request is not repeated here: the next tick looks again.
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
            .with_attempt_timeout(ATTEMPT_LIMIT);
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
fn precondition(service: &Service) -> Precondition {
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
        Ok(Current { configured: configured(&service), running: None, precondition: precondition(&service) })
    }

    async fn plan(&self, target: u32) -> Result<String> {
        let service = self.read().await?;
        let change = self.change(target, is_manual(&service), &service.etag)?.set_validate_only(true);
        change.send().await.map_err(|error| classify("plan", &self.service, error))?;
        let field = if is_manual(&service) { "manualInstanceCount" } else { "minInstanceCount" };
        Ok(format!("{}: scaling.{field} from {} to {target}", self.service, configured(&service)))
    }

    async fn scale(&self, target: u32, precondition: &Precondition) -> Result<()> {
        let (mode, etag) = precondition.token().split_once(' ').ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "scale", "the precondition is of another scaler")
                .with_target(&self.service)
        })?;
        let change = self.change(target, mode == "manual", etag)?;
        let done = change.poller().until_done().await;
        done.map(drop).map_err(|error| classify("scale", &self.service, error))
    }
}

impl fmt::Debug for CloudRunScaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CloudRunScaler").field(&self.service).finish()
    }
}
