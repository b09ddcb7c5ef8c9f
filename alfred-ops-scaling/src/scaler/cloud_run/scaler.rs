//! The scaler itself.

use std::fmt;

use alfred_ops_core::Result;
use async_trait::async_trait;
use google_cloud_run_v2::builder::services::UpdateService;
use google_cloud_run_v2::client::Services;
use google_cloud_run_v2::model::service_scaling::ScalingMode;
use google_cloud_run_v2::model::{Service, ServiceScaling};
use google_cloud_wkt::FieldMask;

use super::client::{LIMITS, count, problem, read_precondition, settled};
use super::failure::classify;
use super::{CloudRunApi, CloudRunOptions};
use crate::scaler::{Current, Limits, Observed, Outcome, Precondition, Scaler};

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
    /// `InvalidInput` for the options of a worker pool; `PermissionDenied` if the client cannot be built, which means that
    /// there are no credentials.
    pub async fn connect(options: CloudRunOptions) -> Result<Self> {
        let api = CloudRunApi::of_service(options)?;
        Ok(Self { client: api.services().await?, service: api.name().to_owned() })
    }

    async fn read(&self) -> Result<Service> {
        let answer = self.client.get_service().set_name(&self.service).send().await;
        answer.map_err(|error| classify("read service", &self.service, error))
    }

    /// The request that sets the number. Only the one field is in the mask.
    fn change(&self, target: u32, manual: bool, etag: &str) -> Result<UpdateService> {
        let target = count(&self.service, target)?;
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

    async fn observe(&self) -> Result<Observed> {
        let service = self.read().await?;
        Ok(Observed {
            configured: configured(&service),
            running: None,
            settled: Some(!service.reconciling),
            problem: problem(service.terminal_condition.as_ref()),
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
        let (mode, etag) = read_precondition(&self.service, precondition)?;
        let change = self.change(target, mode == "manual", etag)?;
        let done = settled("scale", &self.service, change.poller()).await?;
        Ok(Outcome { configured: configured(&done), precondition: precondition_of(&done) })
    }
}

impl fmt::Debug for CloudRunScaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CloudRunScaler").field(&self.service).finish()
    }
}
