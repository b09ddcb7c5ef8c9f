//! Signals out of metrics.

use std::sync::Arc;

use alfred_ops_core::{MetricSource, Result, Sample};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Pick, SignalSource, Signals};
use crate::{Reading, Signal};

/// Signals out of metrics: a registry in this process, a scraped page, Google Cloud Monitoring.
///
/// What no series shows is not known, which is not zero: a queue whose metric is missing never counts as empty. A sum is as
/// old as the oldest of its parts.
///
/// ```
/// use std::sync::Arc;
/// use alfred_ops_core::{ClosureSource, Labels, Sample};
/// use alfred_ops_scaling::{MetricSignals, Pick, Signal};
///
/// let registry = ClosureSource::new("host", || Ok(vec![Sample::new(Labels::metric("tasks_active"), 3.0)]));
/// let signals = MetricSignals::new(Arc::new(registry))
///     .with(Signal::InFlight, Pick::sum("tasks_active"))
///     .with(Signal::Queued, Pick::sum("pubsub_subscription_num_undelivered_messages").where_label("subscription_id", "tasks"));
/// # drop(signals);
/// ```
#[derive(Debug)]
pub struct MetricSignals {
    source: Arc<dyn MetricSource>,
    picks: Vec<(Signal, Pick)>,
}

impl MetricSignals {
    /// No signals yet, out of this source.
    #[must_use]
    pub fn new(source: Arc<dyn MetricSource>) -> Self {
        Self { source, picks: Vec::new() }
    }

    /// Finds a signal so; the last word on a signal counts.
    #[must_use]
    pub fn with(mut self, signal: Signal, pick: Pick) -> Self {
        self.picks.retain(|(known, _)| *known != signal);
        self.picks.push((signal, pick));
        self
    }
}

/// What the samples say, read at `now`. Pure.
fn signals(picks: &[(Signal, Pick)], samples: &[Sample], now: DateTime<Utc>) -> Signals {
    let mut signals = Signals::default();
    for (signal, pick) in picks {
        let reading = pick.of(samples).map(|(value, at)| Reading { value, at: at.unwrap_or(now) });
        *signals.of_mut(*signal) = reading;
    }
    signals
}

#[async_trait]
impl SignalSource for MetricSignals {
    async fn read(&self, now: DateTime<Utc>) -> Result<Signals> {
        let samples = self.source.collect().await?;
        Ok(signals(&self.picks, &samples, now))
    }
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::{Labels, MockMetricSource};
    use chrono::TimeDelta;

    use super::*;

    #[tokio::test]
    async fn what_no_series_shows_is_not_known() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        let old = now - TimeDelta::minutes(2);
        let mut source = MockMetricSource::new();
        source.expect_collect().returning(move || {
            let backlog =
                |region: &str, value| Sample::new(Labels::metric("backlog").with("region", region), value);
            Ok(vec![backlog("a", 5.0), backlog("b", 7.0).at(old), Sample::new(Labels::metric("cpu"), 50.0)])
        });
        let signals = MetricSignals::new(Arc::new(source))
            .with(Signal::Queued, Pick::mean("backlog"))
            .with(Signal::Queued, Pick::sum("backlog"))
            .with(Signal::Cpu, Pick::max("cpu").times(0.01))
            .with(Signal::Memory, Pick::sum("memory"));
        let read = signals.read(now).await.unwrap();
        assert_eq!(read.queued, Some(Reading { value: 12.0, at: old }), "as old as its oldest part");
        assert_eq!(read.cpu, Some(Reading { value: 0.5, at: now }));
        assert_eq!((read.memory, read.in_flight), (None, None));
    }
}
