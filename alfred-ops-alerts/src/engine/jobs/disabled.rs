//! Without the feature `http` no jobs can be scraped.

use std::sync::RwLock;

use alfred_ops_core::{Error, ErrorKind, Result, SharedClock, TaskHandle, TaskSet};
use chrono::{DateTime, Utc};

use crate::engine::AlertEngine;
use crate::job::ScrapeJob;
use crate::scrape::TargetStatus;
use crate::store::SampleStore;

/// The jobs of an engine: none.
#[derive(Debug)]
pub(in crate::engine) struct Jobs;

impl Jobs {
    pub(in crate::engine) fn new(jobs: &[ScrapeJob], _: &SharedClock) -> Result<Self> {
        match jobs.first() {
            None => Ok(Self),
            Some(job) => {
                Err(Error::new(ErrorKind::Unsupported, "add job", "this build cannot scrape over HTTP")
                    .with_target(job.name.clone())
                    .with_remedy("enable the feature `http` of alfred-ops-alerts"))
            }
        }
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
