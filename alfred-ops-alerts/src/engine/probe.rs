//! Asks a target in this process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use alfred_ops_core::{Changes, ClockExt, Labels, MetricSource, Result, Sample, SharedClock};
use chrono::{DateTime, Utc};

use crate::scrape::{Intake, Origin, Scrape, TakenScrape, Target, TargetStatus};
use crate::store::SampleStore;

/// Asks a target in this process and writes what it says.
#[derive(Debug)]
pub(super) struct Probe {
    source: Arc<dyn MetricSource>,
    intake: Mutex<Intake>,
    timeout: Duration,
    pub(super) interval: Duration,
    /// What gives the target its place within the interval.
    pub(super) seed: u64,
}

impl Probe {
    /// `None` for a target that is asked over HTTP.
    pub(super) fn new(target: &Target) -> Option<Self> {
        let Origin::Source(source) = &target.origin else { return None };
        let source = Arc::clone(source);
        let labels = target.labels();
        let seed = labels.fingerprint();
        let intake = Intake::new(labels, source.name().to_owned()).noting_changes(source.changes().is_some());
        let (interval, timeout) = (target.config.interval, target.config.timeout);
        Some(Self { seed, interval, intake: Mutex::new(intake), source, timeout })
    }

    /// Asks the target and writes what it says as of `now`; the series that have changed, if the source tells of changes.
    pub(super) async fn scrape(
        &self,
        now: DateTime<Utc>,
        clock: &SharedClock,
        store: &RwLock<SampleStore>,
    ) -> Vec<Labels> {
        let began = clock.monotonic();
        let outcome = self.collect(clock).await;
        let duration = clock.monotonic().saturating_sub(began);
        let TakenScrape { news, changed } = {
            let mut store = store.write().unwrap_or_else(PoisonError::into_inner);
            self.intake().take(Scrape { outcome, started_at: now, duration }, &mut store)
        };
        if let Some(error) = news {
            let TargetStatus { job, instance, .. } = self.status();
            tracing::warn!(job, instance, error = error.full(), "target is down");
        }
        changed
    }

    /// Tells when the source's values change, if it can.
    pub(super) fn changes(&self) -> Option<Changes> {
        self.source.changes()
    }

    /// Asks the target between two scrapes, and writes what has changed as of `now`; the series that have. An error is for the next
    /// scrape to tell.
    pub(super) async fn look(
        &self,
        now: DateTime<Utc>,
        clock: &SharedClock,
        store: &RwLock<SampleStore>,
    ) -> Vec<Labels> {
        let Ok(samples) = self.collect(clock).await else { return Vec::new() };
        let mut store = store.write().unwrap_or_else(PoisonError::into_inner);
        self.intake().take_changes(&samples, now, &mut store)
    }

    async fn collect(&self, clock: &SharedClock) -> Result<Vec<Sample>> {
        let asked = clock.timeout(self.timeout, "scrape", self.source.collect());
        asked.await.map_err(|error| error.with_target(self.source.name()))?
    }

    pub(super) fn status(&self) -> TargetStatus {
        self.intake().status().clone()
    }

    fn intake(&self) -> MutexGuard<'_, Intake> {
        self.intake.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
