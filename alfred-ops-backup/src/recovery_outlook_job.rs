//! The outlook as metrics.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Activation, GaugeFamily, Job, JobContext, JobReport, Metrics, Result};
use async_trait::async_trait;

use crate::{LogState, RecoveryOutlook, Repository, RestoreRates};

/// How often the outlook is renewed. Each time lists the backups once.
const PERIOD: Duration = Duration::from_secs(30);

/// A log that is stored while the service runs.
pub trait StoredLog: fmt::Debug + Send + Sync + 'static {
    /// How it stands; `None` before anything is known.
    fn state(&self) -> Option<LogState>;
}

/// Keeps the [`RecoveryOutlook`] of one kind of backend in metrics, each with the label `backend`:
///
/// | metric | what |
/// |---|---|
/// | `alfred_ops_backup_rpo_seconds` | so far back a disaster would take the service; `+Inf` without a backup |
/// | `alfred_ops_backup_rto_estimate_seconds` | so long a restore would take; `+Inf` without a backup |
/// | `alfred_ops_backup_chain_length` | backups that the newest builds on, itself included |
/// | `alfred_ops_backup_last_timestamp_seconds` | when the newest was safe, since 1970 |
/// | `alfred_ops_backup_last_duration_seconds` | how long it took |
/// | `alfred_ops_backup_last_raw_bytes` | what it holds |
/// | `alfred_ops_backup_last_stored_bytes` | what was stored for it |
#[derive(Debug)]
pub struct RecoveryOutlookJob {
    repository: Repository,
    backend: String,
    log: Option<Arc<dyn StoredLog>>,
    rates: RestoreRates,
    gauges: [GaugeFamily; 7],
}

impl RecoveryOutlookJob {
    /// The outlook of backups that backends of this kind have made.
    ///
    /// # Errors
    /// [`AlreadyExists`](alfred_ops_core::ErrorKind::AlreadyExists) if another kind of metric has such a name.
    pub fn new(repository: Repository, backend: impl Into<String>, metrics: &Metrics) -> Result<Self> {
        let gauge =
            |name: &str, help: &str| metrics.gauge(&format!("alfred_ops_backup_{name}"), help, &["backend"]);
        let gauges = [
            gauge("rpo_seconds", "How far back a disaster would take the service now")?,
            gauge("rto_estimate_seconds", "How long a restore to the newest state would take")?,
            gauge("chain_length", "Backups that the newest one builds on, itself included")?,
            gauge("last_timestamp_seconds", "When the newest backup was safe, since 1970")?,
            gauge("last_duration_seconds", "How long the newest backup took")?,
            gauge("last_raw_bytes", "Bytes that the newest backup holds")?,
            gauge("last_stored_bytes", "Bytes that were stored for the newest backup")?,
        ];
        Ok(Self { repository, backend: backend.into(), log: None, rates: RestoreRates::default(), gauges })
    }

    /// The log that goes on from the backups, such as a `WalArchiver`. Without one the recovery point is the
    /// newest backup.
    #[must_use]
    pub fn with_log(mut self, log: Arc<dyn StoredLog>) -> Self {
        self.log = Some(log);
        self
    }

    /// How fast a restore is.
    #[must_use]
    pub fn with_rates(mut self, rates: RestoreRates) -> Self {
        self.rates = rates;
        self
    }
}

#[async_trait]
impl Job for RecoveryOutlookJob {
    fn name(&self) -> &str {
        "recovery-outlook"
    }

    fn activation(&self) -> Activation {
        Activation::Every(PERIOD)
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        let mut backups = self.repository.catalog().await?.backups;
        backups.retain(|record| record.backend == self.backend);
        let log = self.log.as_ref().and_then(|log| log.state());
        let outlook = RecoveryOutlook::new(&backups, log.as_ref(), &self.rates, context.now());
        let seconds = |duration: Option<Duration>| duration.map_or(f64::INFINITY, |some| some.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers")]
        let values = [
            seconds(outlook.rpo),
            seconds(outlook.rto_estimate),
            outlook.chain_length as f64,
            outlook.newest_at.map_or(0.0, |at| at.timestamp() as f64),
            outlook.newest_took.as_secs_f64(),
            outlook.newest.raw_bytes as f64,
            outlook.newest.stored_bytes as f64,
        ];
        for (gauge, value) in self.gauges.iter().zip(values) {
            gauge.with(&[&self.backend]).set(value);
        }
        Ok(JobReport::new(format!(
            "a disaster would cost {:.0} s of data and {:.0} s of time",
            seconds(outlook.rpo),
            seconds(outlook.rto_estimate)
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{BackupRequest, MemoryBackend, MemoryBlobStore, RepositoryOptions};

    #[tokio::test]
    async fn the_metrics_tell_what_a_disaster_would_cost() {
        let (context, metrics) = (JobContext::system(), Metrics::new());
        let store = Arc::new(MemoryBlobStore::new());
        let repository =
            Repository::open_or_create(store, RepositoryOptions::default(), &context).await.unwrap();
        let backend = MemoryBackend::new();
        let job = RecoveryOutlookJob::new(repository.clone(), "memory", &metrics).unwrap();
        let text = async || {
            job.run(&context).await.unwrap();
            metrics.render()
        };
        assert!(text().await.contains("alfred_ops_backup_rpo_seconds{backend=\"memory\"} +Inf"));
        repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
        let after = text().await;
        assert!(after.contains("alfred_ops_backup_chain_length{backend=\"memory\"} 1"), "{after}");
        assert!(!after.contains("+Inf"), "{after}");
    }
}
