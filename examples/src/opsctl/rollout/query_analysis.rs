//! An analysis by queries to Prometheus.

use std::sync::Arc;

use alfred_ops_core::{
    ClosureSource, Error, ErrorKind, Labels, MetricSource as _, Result, Sample, SharedClock,
};
use alfred_ops_maintenance::{Analysis, CanaryView, MetricAnalysis, MetricCondition, Verdict};
use alfred_ops_scaling::{PrometheusOptions, PrometheusQuery, PrometheusSource};
use async_trait::async_trait;

use super::config::{PLACE, QueryConfig};

/// An analysis that asks Prometheus one query for each revision that matters, with the revision's name in it.
#[derive(Debug)]
pub(super) struct QueryAnalysis {
    config: QueryConfig,
    clock: SharedClock,
}

impl QueryAnalysis {
    /// # Errors
    /// `InvalidInput` for a URL that cannot be used.
    pub(super) fn new(config: QueryConfig, clock: SharedClock) -> Result<Self> {
        let analysis = Self { config, clock };
        analysis.source(&["a-revision"])?;
        Ok(analysis)
    }

    /// One query for each revision, called as the revision is.
    fn source(&self, revisions: &[&str]) -> Result<PrometheusSource> {
        let query =
            |revision: &&str| PrometheusQuery::new(*revision, self.config.query.replace(PLACE, revision));
        let queries = revisions.iter().map(query);
        let (options, clock) = (PrometheusOptions::default(), Arc::clone(&self.clock));
        PrometheusSource::new(self.config.server.expose(), queries, options, clock)
    }
}

#[async_trait]
impl Analysis for QueryAnalysis {
    fn name(&self) -> &str {
        &self.config.name
    }

    async fn judge(&self, canary: &CanaryView) -> Result<Verdict> {
        let mut revisions = vec![canary.candidate.as_str()];
        if matches!(self.config.condition, MetricCondition::AtMostTimes { .. }) {
            revisions.push(&canary.stable);
        }
        // It is put into a string of the query.
        if let Some(odd) = revisions.iter().find(|name| name.contains(['"', '\\', '\n', '`', '\''])) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "ask Prometheus",
                format!("{odd:?} is no revision"),
            ));
        }
        let name = self.config.name.as_str();
        let found = self.source(&revisions)?.collect().await?;
        let samples: Vec<Sample> = found
            .iter()
            .filter_map(|sample| {
                let labels = Labels::metric(name).with("revision", sample.labels.name()?);
                let made = Sample::new(labels, sample.value);
                Some(sample.timestamp.map_or_else(|| made.clone(), |at| made.clone().at(at)))
            })
            .collect();
        let source = ClosureSource::new(name, move || Ok(samples.clone()));
        MetricAnalysis::new(source, name, self.config.condition)?.judge(canary).await
    }
}
