//! A look at the platform after a change.

use std::convert::identity;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{ClockExt as _, JobContext, MetricSource, Result};
use futures::future::BoxFuture;

use crate::MetricCondition;

/// Who does not answer within this time cannot tell.
const LOOK_MAX: Duration = Duration::from_secs(30);

const STOPPED: &str = "the host was stopped while it watched";

type Probe = dyn Fn() -> BoxFuture<'static, Result<Option<String>>> + Send + Sync;

/// A look at the platform's errors and latency after a change: for so long, so often, and how many bad looks in a row undo the
/// change.
pub struct Watch {
    name: String,
    probe: Box<Probe>,
    lasts: Duration,
    every: Duration,
    bad_max: u32,
}

impl Watch {
    /// Asks `probe` what is wrong, every ten seconds for five minutes. The second bad look in a row undoes the change; an
    /// error counts as bad, and so does no answer within 30 seconds, for who does not know cannot promise.
    #[must_use]
    pub fn new<F, A>(name: impl Into<String>, probe: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<Option<String>>> + Send + 'static,
    {
        Self {
            name: name.into(),
            probe: Box::new(move || Box::pin(probe())),
            lasts: Duration::from_secs(300),
            every: Duration::from_secs(10),
            bad_max: 1,
        }
    }

    /// Looks at a metric of `source`: a query of Prometheus through scaling's `PrometheusSource`, or the host's own registry. More
    /// than `most` in any of its series is bad; and so is NaN, and no series at all. It is called as the metric.
    #[must_use]
    pub fn metric(source: impl MetricSource, metric: impl Into<String>, most: f64) -> Self {
        let (source, metric) = (Arc::new(source), metric.into());
        Self::new(metric.clone(), move || {
            let (source, metric) = (Arc::clone(&source), metric.clone());
            async move {
                let samples = source.collect().await?;
                let mut values = samples
                    .iter()
                    .filter(|sample| sample.labels.name() == Some(&metric))
                    .map(|sample| sample.value)
                    .peekable();
                if values.peek().is_none() {
                    return Ok(Some(format!("{} has no {metric}", source.name())));
                }
                Ok(values.find_map(|value| MetricCondition::AtMost(most).fault(value, None)))
            }
        })
    }

    /// Sets how long it lasts and how often it looks.
    #[must_use]
    pub const fn lasting(mut self, lasts: Duration, every: Duration) -> Self {
        (self.lasts, self.every) = (lasts, every);
        self
    }

    /// Sets how many bad looks in a row are forgiven; one if not given.
    #[must_use]
    pub const fn forgiving(mut self, bad_max: u32) -> Self {
        self.bad_max = bad_max;
        self
    }

    /// Watches to the end, or until it has seen enough; then returns what was wrong.
    pub(super) async fn wrong(&self, context: &JobContext) -> Option<String> {
        let began = context.clock.monotonic();
        let mut bad = 0;
        loop {
            let look = context.clock.timeout(LOOK_MAX, "look after a change", (self.probe)());
            let wrong = tokio::select! {
                () = context.cancel.cancelled() => return Some(STOPPED.to_owned()),
                looked = look => match looked.and_then(identity) {
                    Ok(wrong) => wrong,
                    Err(error) => Some(format!("nobody can tell: {}", error.full())),
                },
            };
            bad = if wrong.is_some() { bad + 1 } else { 0 };
            if let Some(wrong) = wrong.filter(|_| bad > self.bad_max) {
                return Some(format!("watch {:?}: {wrong}", self.name));
            }
            if context.clock.monotonic().saturating_sub(began) >= self.lasts {
                return None;
            }
            tokio::select! {
                () = context.cancel.cancelled() => return Some(STOPPED.to_owned()),
                () = context.clock.sleep(self.every) => {}
            }
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::{ClosureSource, Labels, Sample};

    use super::*;

    async fn check(values: &'static [(&'static str, f64)], wrong: Option<&str>) {
        let source = ClosureSource::new("registry", move || {
            Ok(values.iter().map(|(name, value)| Sample::new(Labels::metric(name), *value)).collect())
        });
        let watch = Watch::metric(source, "errors", 0.01)
            .lasting(Duration::ZERO, Duration::from_secs(1))
            .forgiving(0);
        let seen = watch.wrong(&JobContext::system()).await;
        assert_eq!(seen.as_deref(), wrong, "{values:?}");
    }

    #[tokio::test]
    async fn a_metric_is_healthy_if_all_its_series_are() {
        check(&[("errors", 0.01), ("errors", 0.0), ("others", 1.0)], None).await;
        let bad = Some("watch \"errors\": 0.02, and at most 0.01 is healthy");
        check(&[("errors", 0.0), ("errors", 0.02)], bad).await;
        let nan = Some("watch \"errors\": NaN, and at most 0.01 is healthy");
        check(&[("errors", f64::NAN)], nan).await;
        check(&[("others", 0.0)], Some("watch \"errors\": registry has no errors")).await;
    }
}
