//! Where signals come from.

use std::fmt;

use alfred_ops_core::Result;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{Reading, Signal};

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

impl Signals {
    /// The reading of a signal.
    pub(super) const fn of_mut(&mut self, signal: Signal) -> &mut Option<Reading> {
        match signal {
            Signal::Queued => &mut self.queued,
            Signal::InFlight => &mut self.in_flight,
            Signal::Arrivals => &mut self.arrivals,
            Signal::Cpu => &mut self.cpu,
            Signal::Memory => &mut self.memory,
        }
    }

    /// The same, and of what is not known what others know.
    pub(super) fn or(self, others: &Self) -> Self {
        Self {
            queued: self.queued.or(others.queued),
            in_flight: self.in_flight.or(others.in_flight),
            arrivals: self.arrivals.or(others.arrivals),
            cpu: self.cpu.or(others.cpu),
            memory: self.memory.or(others.memory),
        }
    }
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
