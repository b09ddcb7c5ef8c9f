//! The load as the host itself sees it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use alfred_ops_core::Result;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{SignalSource, Signals};
use crate::Reading;

/// The load as the host itself sees it, which knows of work the moment it comes.
///
/// Work is counted as it passes ([`arrived`](Self::arrived), [`started`](Self::started),
/// [`completed`](Self::completed)) or set from outside; either way it is true until it changes again. Usage
/// is measured now and then: give [`measured`](Self::measured) the time, so that a meter that stops is
/// noticed.
#[derive(Debug, Default)]
pub struct Workload {
    values: Mutex<Values>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Values {
    queued: Option<f64>,
    in_flight: Option<f64>,
    usage: Option<Usage>,
    /// Whether arrivals are counted at all: who only sets the queue does not.
    counts_arrivals: bool,
    arrivals: u64,
    completions: u64,
}

#[derive(Debug, Clone, Copy)]
struct Usage {
    cpu: f64,
    memory: f64,
    /// None for what is true until it is set again.
    at: Option<DateTime<Utc>>,
}

impl Workload {
    /// A load of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// So many messages came and wait.
    pub fn arrived(&self, messages: u32) {
        let mut values = self.lock();
        values.counts_arrivals = true;
        values.arrivals += u64::from(messages);
        values.queued = Some(values.queued.unwrap_or(0.0) + f64::from(messages));
        values.in_flight.get_or_insert(0.0);
    }

    /// So many waiting messages are now in work.
    pub fn started(&self, messages: u32) {
        let mut values = self.lock();
        values.queued = Some(less(values.queued, messages));
        values.in_flight = Some(values.in_flight.unwrap_or(0.0) + f64::from(messages));
    }

    /// So many messages in work are done, or given up for good.
    pub fn completed(&self, messages: u32) {
        let mut values = self.lock();
        values.completions += u64::from(messages);
        values.in_flight = Some(less(values.in_flight, messages));
    }

    /// Messages that came since the start.
    #[must_use]
    pub fn arrivals(&self) -> u64 {
        self.lock().arrivals
    }

    /// Messages done since the start.
    #[must_use]
    pub fn completions(&self) -> u64 {
        self.lock().completions
    }

    /// Messages that wait.
    pub fn set_queued(&self, messages: f64) {
        self.lock().queued = Some(messages);
    }

    /// Messages in work.
    pub fn set_in_flight(&self, messages: f64) {
        self.lock().in_flight = Some(messages);
    }

    /// The shares of processors and memory in use, measured at a time.
    pub fn measured(&self, cpu: f64, memory: f64, at: DateTime<Utc>) {
        self.lock().usage = Some(Usage { cpu, memory, at: Some(at) });
    }

    /// The shares of processors and memory in use, true until they are set again: for who knows when they
    /// change. A meter that may stop reports to [`measured`](Self::measured) instead.
    pub fn set_usage(&self, cpu: f64, memory: f64) {
        self.lock().usage = Some(Usage { cpu, memory, at: None });
    }

    fn lock(&self) -> MutexGuard<'_, Values> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 messages nobody counts")]
const fn whole(count: u64) -> f64 {
    count as f64
}

/// Work that was never announced cannot leave fewer than none.
fn less(count: Option<f64>, messages: u32) -> f64 {
    (count.unwrap_or(0.0) - f64::from(messages)).max(0.0)
}

#[async_trait]
impl SignalSource for Workload {
    async fn read(&self, now: DateTime<Utc>) -> Result<Signals> {
        let values = *self.lock();
        let counted = |value: Option<f64>| value.map(|value| Reading { value, at: now });
        let used = |share: fn(Usage) -> f64| {
            values.usage.map(|usage| Reading { value: share(usage), at: usage.at.unwrap_or(now) })
        };
        Ok(Signals {
            queued: counted(values.queued),
            in_flight: counted(values.in_flight),
            arrivals: counted(values.counts_arrivals.then_some(whole(values.arrivals))),
            cpu: used(|usage| usage.cpu),
            memory: used(|usage| usage.memory),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_counted_as_it_passes_and_usage_grows_old() {
        let workload = Workload::new();
        let (early, late) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(1));
        assert_eq!(workload.read(early).await.unwrap(), Signals::default(), "unknown is not zero");

        workload.arrived(5);
        workload.started(2);
        workload.completed(1);
        workload.measured(0.5, 0.25, early);
        let signals = workload.read(late).await.unwrap();
        assert_eq!(signals.queued, Some(Reading { value: 3.0, at: late }));
        assert_eq!(signals.in_flight, Some(Reading { value: 1.0, at: late }));
        assert_eq!(signals.cpu, Some(Reading { value: 0.5, at: early }));
        assert_eq!(signals.memory, Some(Reading { value: 0.25, at: early }));
        assert_eq!(signals.arrivals, Some(Reading { value: 5.0, at: late }));
        assert_eq!((workload.arrivals(), workload.completions()), (5, 1));

        workload.completed(9);
        assert_eq!(workload.read(late).await.unwrap().in_flight.map(|reading| reading.value), Some(0.0));
        workload.set_usage(0.1, 0.1);
        assert_eq!(workload.read(late).await.unwrap().cpu, Some(Reading { value: 0.1, at: late }));
    }
}
