//! Keeps notifications in memory.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use alfred_ops_core::Result;
use async_trait::async_trait;

use super::{AlertSink, Receipt};
use crate::notify::Notification;

/// How many notifications are kept; the oldest give way.
const KEPT_MAX: usize = 10_000;

/// Keeps notifications in memory, each once: for tests, and for hosts that show alerts themselves.
#[derive(Debug)]
pub struct MemorySink {
    name: String,
    kept: Mutex<VecDeque<Notification>>,
}

impl MemorySink {
    /// A sink without notifications.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), kept: Mutex::default() }
    }

    /// The notifications delivered so far, oldest first.
    #[must_use]
    pub fn notifications(&self) -> Vec<Notification> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Notification>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AlertSink for MemorySink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&self, notification: &Notification) -> Result<Receipt> {
        let mut kept = self.lock();
        if !kept.iter().any(|known| known.dedup_key == notification.dedup_key) {
            if kept.len() >= KEPT_MAX {
                kept.pop_front();
            }
            kept.push_back(notification.clone());
        }
        Ok(Receipt::accepted().with_reference(&notification.dedup_key))
    }
}
