//! One job in its place: what lasts across the terms of leadership.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::JobOptions;
use crate::job::JobPolicy;
use crate::{CounterFamily, HealthReporter, HistogramFamily, Job, Progress};

/// One job of a supervisor.
#[derive(Debug)]
pub(super) struct JobSlot {
    pub(super) job: Arc<dyn Job>,
    pub(super) name: String,
    /// The key of its document.
    pub(super) key: String,
    pub(super) policy: JobPolicy,
    pub(super) options: JobOptions,
    pub(super) wake: Notify,
    pub(super) health: HealthReporter,
    pub(super) meters: Meters,
    running: Mutex<Option<Progress>>,
}

/// What is measured of all jobs.
#[derive(Debug, Clone)]
pub(super) struct Meters {
    pub(super) runs: CounterFamily,
    pub(super) seconds: HistogramFamily,
    pub(super) skipped: CounterFamily,
}

impl JobSlot {
    pub(super) fn new(
        job: Arc<dyn Job>,
        key: String,
        options: JobOptions,
        health: HealthReporter,
        meters: Meters,
    ) -> Self {
        Self {
            name: job.name().to_owned(),
            key,
            policy: JobPolicy { activation: job.activation(), missed: options.missed },
            options,
            wake: Notify::new(),
            health,
            meters,
            running: Mutex::new(None),
            job,
        }
    }

    /// Notes the present run, or that there is none.
    pub(super) fn set_running(&self, progress: Option<Progress>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    pub(super) fn running(&self) -> Option<Progress> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
