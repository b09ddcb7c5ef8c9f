//! Where signals come from.

use std::fmt;

use alfred_ops_core::Result;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::Reading;

/// What a source could read. What it could not is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Signals {
    /// Messages that wait.
    pub queued: Option<Reading>,
    /// Messages in work.
    pub in_flight: Option<Reading>,
    /// Messages that have ever come.
    pub arrivals: Option<Reading>,
    /// The share of the processors in use, averaged over the instances.
    pub cpu: Option<Reading>,
    /// The share of the memory in use, averaged over the instances.
    pub memory: Option<Reading>,
}

/// Something that knows the load.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait SignalSource: fmt::Debug + Send + Sync + 'static {
    /// Reads all signals. Each carries the time when it was true, which is not always `now`. Changes
    /// nothing, whether it succeeds, fails or is dropped; may be called again and concurrently.
    ///
    /// # Errors
    /// Any. It counts as nothing read: the autoscaler then holds.
    async fn read(&self, now: DateTime<Utc>) -> Result<Signals>;
}
