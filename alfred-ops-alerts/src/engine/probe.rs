//! Asks one target.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use alfred_ops_core::{ClockExt, MetricSource, Result, Sample, SharedClock};
use chrono::{DateTime, Utc};

use crate::scrape::{Connector, Intake, Origin, Scrape, Target, TargetStatus};
use crate::store::SampleStore;

/// Asks one target and writes what it says.
#[derive(Debug)]
pub(super) struct Probe {
    source: Arc<dyn MetricSource>,
    intake: Mutex<Intake>,
    /// For sources that do not bound their own time.
    timeout: Option<Duration>,
    pub(super) interval: Duration,
    /// What gives the target its place within the interval.
    pub(super) seed: u64,
}

impl Probe {
    pub(super) fn new(target: &Target, connector: &Connector) -> Result<Self> {
        let (source, timeout) = match &target.origin {
            Origin::Source(source) => (Arc::clone(source), Some(target.config.timeout)),
            Origin::Instance | Origin::Url(_) => (connector.source(target)?, None),
        };
        let labels = target.labels();
        Ok(Self {
            seed: labels.fingerprint(),
            interval: target.config.interval,
            intake: Mutex::new(Intake::new(labels, source.name().to_owned())),
            source,
            timeout,
        })
    }

    /// Asks the target and writes what it says as of `now`.
    pub(super) async fn scrape(&self, now: DateTime<Utc>, clock: &SharedClock, store: &RwLock<SampleStore>) {
        let began = clock.monotonic();
        let outcome = self.collect(clock).await;
        let duration = clock.monotonic().saturating_sub(began);
        let news = {
            let mut store = store.write().unwrap_or_else(PoisonError::into_inner);
            self.intake().take(Scrape { outcome, started_at: now, duration }, &mut store)
        };
        if let Some(error) = news {
            let TargetStatus { job, instance, .. } = self.status();
            tracing::warn!(job, instance, error = error.full(), "target is down");
        }
    }

    async fn collect(&self, clock: &SharedClock) -> Result<Vec<Sample>> {
        match self.timeout {
            Some(timeout) => clock
                .timeout(timeout, "scrape", self.source.collect())
                .await
                .map_err(|error| error.with_target(self.source.name()))?,
            None => self.source.collect().await,
        }
    }

    pub(super) fn status(&self) -> TargetStatus {
        self.intake().status().clone()
    }

    fn intake(&self) -> MutexGuard<'_, Intake> {
        self.intake.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
