//! Without the feature `http` only targets in this process can be read.

use std::sync::RwLock;

use alfred_ops_core::{Error, ErrorKind, Result, SharedClock, TaskHandle, TaskSet};
use chrono::{DateTime, Utc};

use crate::engine::AlertEngine;
use crate::job::ScrapeJob;
use crate::scrape::{Target, TargetStatus};
use crate::store::SampleStore;

/// The jobs of an engine: none.
#[derive(Debug)]
pub(in crate::engine) struct Jobs;

impl Jobs {
    pub(in crate::engine) fn new(jobs: &[ScrapeJob], targets: &[Target], _: &SharedClock) -> Result<Self> {
        let refuse = |operation, target| {
            Err(Error::new(ErrorKind::Unsupported, operation, "this build cannot scrape over HTTP")
                .with_target(target)
                .with_remedy("enable the feature `http` of alfred-ops-alerts"))
        };
        if let Some(target) = targets.iter().find(|target| !target.is_in_process()) {
            return refuse("add target", format!("{}/{}", target.job, target.instance));
        }
        jobs.first().map_or(Ok(Self), |job| refuse("add job", job.name.clone()))
    }

    #[expect(clippy::unused_async, reason = "its sibling with HTTP waits for targets")]
    pub(in crate::engine) async fn scrape_once(&self, _: DateTime<Utc>, _: &RwLock<SampleStore>) {}

    pub(in crate::engine) fn status(&self) -> Vec<TargetStatus> {
        Vec::new()
    }

    pub(in crate::engine) fn start(_: &AlertEngine, _: &TaskSet) -> Vec<TaskHandle<()>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use crate::{AlertEngine, Target};

    #[test]
    fn a_target_over_http_is_refused_with_the_remedy() {
        let error = AlertEngine::builder().target(Target::new("agents", "a:1")).build().unwrap_err();
        assert_eq!(
            error.to_string(),
            "add target (agents/a:1): this build cannot scrape over HTTP; \
             enable the feature `http` of alfred-ops-alerts"
        );
    }
}
