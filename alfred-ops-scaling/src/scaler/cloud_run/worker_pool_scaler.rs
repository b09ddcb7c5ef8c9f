//! The scaler of worker pools.

use std::fmt;

use alfred_ops_core::Result;
use async_trait::async_trait;
use google_cloud_run_v2::builder::worker_pools::UpdateWorkerPool;
use google_cloud_run_v2::client::WorkerPools;
use google_cloud_run_v2::model::{WorkerPool, WorkerPoolScaling};
use google_cloud_wkt::FieldMask;

use super::client::{LIMITS, count, problem, read_precondition, settled};
use super::failure::classify;
use super::{CloudRunApi, CloudRunOptions};
use crate::scaler::{Current, Limits, Observed, Outcome, Precondition, Scaler};

/// The only mode of worker pools.
const MODE: &str = "manual";

/// A worker pool on Cloud Run, scaled through the Admin API v2: instances that get no requests and pull their work.
///
/// It sets `scaling.manualInstanceCount`, which makes no new revision; Cloud Run itself never changes that number. Else it
/// is like [`CloudRunScaler`](super::CloudRunScaler).
pub struct CloudRunWorkerPoolScaler {
    client: WorkerPools,
    pool: String,
}

impl CloudRunWorkerPoolScaler {
    /// A scaler of the pool that [`CloudRunOptions::worker_pool`] names. Nothing is asked yet.
    ///
    /// # Errors
    /// As of [`CloudRunScaler::connect`](super::CloudRunScaler::connect).
    pub async fn connect(options: CloudRunOptions) -> Result<Self> {
        let api = CloudRunApi::of_worker_pool(options)?;
        Ok(Self { client: api.worker_pools().await?, pool: api.name().to_owned() })
    }

    async fn read(&self) -> Result<WorkerPool> {
        let answer = self.client.get_worker_pool().set_name(&self.pool).send().await;
        answer.map_err(|error| classify("read worker pool", &self.pool, error))
    }

    /// The request that sets the number. Only the one field is in the mask.
    fn change(&self, target: u32, etag: &str) -> Result<UpdateWorkerPool> {
        let scaling = WorkerPoolScaling::new().set_manual_instance_count(count(&self.pool, target)?);
        let pool = WorkerPool::new().set_name(&self.pool).set_etag(etag).set_scaling(scaling);
        let mask = FieldMask::default().set_paths(["scaling.manualInstanceCount"]);
        Ok(self.client.update_worker_pool().set_worker_pool(pool).set_update_mask(mask))
    }
}

fn configured(pool: &WorkerPool) -> u32 {
    let count = pool.scaling.as_ref().and_then(|scaling| scaling.manual_instance_count);
    u32::try_from(count.unwrap_or(0)).unwrap_or(0)
}

fn precondition_of(pool: &WorkerPool) -> Precondition {
    Precondition::new(format!("{MODE} {}", pool.etag))
}

#[async_trait]
impl Scaler for CloudRunWorkerPoolScaler {
    fn name(&self) -> &str {
        &self.pool
    }

    fn limits(&self) -> Limits {
        LIMITS
    }

    async fn current(&self) -> Result<Current> {
        let pool = self.read().await?;
        Ok(Current { configured: configured(&pool), running: None, precondition: precondition_of(&pool) })
    }

    async fn observe(&self) -> Result<Observed> {
        let pool = self.read().await?;
        Ok(Observed {
            configured: configured(&pool),
            running: None,
            settled: Some(!pool.reconciling),
            problem: problem(pool.terminal_condition.as_ref()),
        })
    }

    async fn plan(&self, target: u32) -> Result<String> {
        let pool = self.read().await?;
        let change = self.change(target, &pool.etag)?.set_validate_only(true);
        change.send().await.map_err(|error| classify("plan", &self.pool, error))?;
        Ok(format!("{}: scaling.manualInstanceCount from {} to {target}", self.pool, configured(&pool)))
    }

    async fn scale(&self, target: u32, precondition: &Precondition) -> Result<Outcome> {
        let (_, etag) = read_precondition(&self.pool, precondition)?;
        let done = settled("scale", &self.pool, self.change(target, etag)?.poller()).await?;
        Ok(Outcome { configured: configured(&done), precondition: precondition_of(&done) })
    }
}

impl fmt::Debug for CloudRunWorkerPoolScaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CloudRunWorkerPoolScaler").field(&self.pool).finish()
    }
}
