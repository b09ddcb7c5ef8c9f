//! An analysis of metrics.

use alfred_ops_core::{Error, ErrorKind, MetricSource, Result, Sample};
use async_trait::async_trait;

use super::{Analysis, CanaryView, MetricCondition, Verdict};

/// An analysis of one metric of a source: a query of Prometheus through scaling's `PrometheusSource`, such as
/// `sum by (revision) (…)` that goes `by_series`, Google's metrics, or the host's own registry.
///
/// Series belong to the revision that a label of theirs names. Without one for the candidate, with NaN alone, or with samples
/// from before the candidate had its share, there are no data. Of several series of a revision the worst counts.
#[derive(Debug)]
pub struct MetricAnalysis<S> {
    source: S,
    metric: String,
    label: String,
    condition: MetricCondition,
}

impl<S: MetricSource> MetricAnalysis<S> {
    /// An analysis of the series of `source` that are called `metric`, whose label `revision` names the revision.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a condition with a number that is not finite.
    pub fn new(source: S, metric: impl Into<String>, condition: MetricCondition) -> Result<Self> {
        if !condition.is_finite() {
            let fault = format!("condition: {condition:?} is not finite");
            return Err(Error::new(ErrorKind::InvalidInput, "build analysis", fault)
                .with_remedy("name finite numbers"));
        }
        Ok(Self { source, metric: metric.into(), label: "revision".to_owned(), condition })
    }

    /// Another label that names the revision, such as Cloud Run's `revision_name`.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The worst value of a revision.
    fn worst(&self, samples: &[Sample], revision: &str, canary: &CanaryView) -> Option<f64> {
        let values = samples
            .iter()
            .filter(|sample| sample.labels.name() == Some(&self.metric))
            .filter(|sample| sample.labels.get(&self.label) == Some(revision))
            .filter(|sample| sample.timestamp.is_none_or(|at| at >= canary.since))
            .map(|sample| sample.value)
            .filter(|value| !value.is_nan());
        self.condition.worst(values)
    }
}

#[async_trait]
impl<S: MetricSource> Analysis for MetricAnalysis<S> {
    fn name(&self) -> &str {
        &self.metric
    }

    async fn judge(&self, canary: &CanaryView) -> Result<Verdict> {
        let samples = self.source.collect().await?;
        let Some(value) = self.worst(&samples, &canary.candidate, canary) else {
            return Ok(Verdict::NoData(format!("no sample of {} since {}", canary.candidate, canary.since)));
        };
        let stable = self.worst(&samples, &canary.stable, canary);
        Ok(self.condition.fault(value, stable).map_or(Verdict::Pass, Verdict::Fail))
    }
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::{ClosureSource, Labels};
    use chrono::{DateTime, TimeDelta};

    use super::*;

    async fn check(condition: MetricCondition, samples: &[(&str, f64, i64)], verdict: &str) {
        let since = DateTime::UNIX_EPOCH + TimeDelta::seconds(100);
        let samples: Vec<Sample> = samples
            .iter()
            .map(|(revision, value, second)| {
                let labels = Labels::metric("errors").with("revision", revision);
                Sample::new(labels, *value).at(DateTime::UNIX_EPOCH + TimeDelta::seconds(*second))
            })
            .collect();
        let source = ClosureSource::new("test", move || Ok(samples.clone()));
        let analysis = MetricAnalysis::new(source, "errors", condition).unwrap();
        let canary = CanaryView { stable: "v1".to_owned(), candidate: "v2".to_owned(), percent: 5, since };
        let said = analysis.judge(&canary).await.unwrap().to_string();
        assert!(said.starts_with(verdict), "{condition:?}: {said}");
    }

    #[tokio::test]
    async fn only_fresh_samples_of_the_candidate_count() {
        let most = MetricCondition::AtMost(0.01);
        check(most, &[], "no data: no sample of v2").await;
        check(most, &[("v1", 0.0, 100)], "no data").await;
        check(most, &[("v2", 0.0, 99)], "no data").await;
        check(most, &[("v2", f64::NAN, 100)], "no data").await;
        check(most, &[("v2", 0.01, 100), ("v1", 1.0, 100)], "pass").await;
        check(most, &[("v2", 0.0, 100), ("v2", 0.02, 100)], "fail: 0.02, and at most 0.01 is healthy").await;
        check(most, &[("v2", f64::INFINITY, 100)], "fail").await;
        let least = MetricCondition::AtLeast(0.99);
        check(least, &[("v2", 0.995, 100)], "pass").await;
        check(least, &[("v2", 0.995, 100), ("v2", 0.5, 100)], "fail").await;
        let times = MetricCondition::AtMostTimes { times: 1.5, or: 0.01 };
        check(times, &[("v2", 0.14, 100), ("v1", 0.1, 100)], "pass").await;
        check(times, &[("v2", 0.16, 100), ("v1", 0.1, 100)], "fail").await;
        check(times, &[("v2", 0.01, 100), ("v1", 0.0, 100)], "pass").await;
        check(times, &[("v2", 0.02, 100)], "fail").await;
        let source = ClosureSource::new("test", || Ok(Vec::new()));
        let error = MetricAnalysis::new(source, "errors", MetricCondition::AtMost(f64::NAN)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
