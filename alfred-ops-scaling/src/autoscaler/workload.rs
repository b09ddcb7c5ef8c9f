//! The load as the host itself sees it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use alfred_ops_core::Result;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{SignalSource, Signals};
use crate::Reading;

/// The load as the host itself sees it: set when it changes, true until it changes again.
#[derive(Debug, Default)]
pub struct Workload {
    values: Mutex<Values>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Values {
    queued: Option<f64>,
    in_flight: Option<f64>,
    cpu: Option<f64>,
    memory: Option<f64>,
}

impl Workload {
    /// A load of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Messages that wait.
    pub fn set_queued(&self, messages: f64) {
        self.lock().queued = Some(messages);
    }

    /// Messages in work.
    pub fn set_in_flight(&self, messages: f64) {
        self.lock().in_flight = Some(messages);
    }

    /// The shares of processors and memory in use.
    pub fn set_usage(&self, cpu: f64, memory: f64) {
        let mut values = self.lock();
        (values.cpu, values.memory) = (Some(cpu), Some(memory));
    }

    fn lock(&self) -> MutexGuard<'_, Values> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SignalSource for Workload {
    async fn read(&self, now: DateTime<Utc>) -> Result<Signals> {
        let values = *self.lock();
        let reading = |value: Option<f64>| value.map(|value| Reading { value, at: now });
        Ok(Signals {
            queued: reading(values.queued),
            in_flight: reading(values.in_flight),
            cpu: reading(values.cpu),
            memory: reading(values.memory),
        })
    }
}
