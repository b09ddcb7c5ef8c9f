//! Keeps what an Alertmanager would be told.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use alfred_ops_core::Result;
use async_trait::async_trait;

use super::{Alertmanager, PostedAlert};

/// How many batches are kept; the oldest give way.
const KEPT_MAX: usize = 10_000;

/// Keeps in memory what an Alertmanager would be told: for tests.
#[derive(Debug)]
pub struct MemoryAlertmanager {
    name: String,
    kept: Mutex<VecDeque<Vec<PostedAlert>>>,
}

impl MemoryAlertmanager {
    /// One that was told of nothing.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), kept: Mutex::default() }
    }

    /// The batches it was told of since it was last asked, oldest first.
    #[must_use]
    pub fn take_batches(&self) -> Vec<Vec<PostedAlert>> {
        self.lock().drain(..).collect()
    }

    /// The alerts it was told of since it was last asked, oldest first.
    #[must_use]
    pub fn take_alerts(&self) -> Vec<PostedAlert> {
        self.lock().drain(..).flatten().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Vec<PostedAlert>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Alertmanager for MemoryAlertmanager {
    fn name(&self) -> &str {
        &self.name
    }

    async fn post(&self, alerts: &[PostedAlert]) -> Result<()> {
        let mut kept = self.lock();
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(alerts.to_vec());
        Ok(())
    }
}
