//! The jobs of an engine.

use std::sync::{Arc, RwLock};

use alfred_ops_core::{Result, SharedClock, TaskHandle, TaskSet};
use chrono::{DateTime, Utc};

use super::job_scraper::JobScraper;
use crate::engine::AlertEngine;
use crate::job::ScrapeJob;
use crate::scrape::{Target, TargetStatus, jobs_of};
use crate::store::SampleStore;

/// The jobs of an engine, whose targets come and go.
#[derive(Debug)]
pub(in crate::engine) struct Jobs(Vec<Arc<JobScraper>>);

impl Jobs {
    /// These jobs, and those of the targets that are asked over HTTP. Blocks while it reads files with certificates.
    pub(in crate::engine) fn new(
        jobs: &[ScrapeJob],
        targets: &[Target],
        clock: &SharedClock,
    ) -> Result<Self> {
        let own = jobs_of(targets.iter().filter(|target| !target.is_in_process()), "add target")?;
        let scraper = |job: &ScrapeJob| JobScraper::new(job, SharedClock::clone(clock)).map(Arc::new);
        Ok(Self(own.iter().chain(jobs).map(scraper).collect::<Result<_>>()?))
    }

    /// Looks for the targets of all jobs, and scrapes them as of `now`.
    pub(in crate::engine) async fn scrape_once(&self, now: DateTime<Utc>, store: &RwLock<SampleStore>) {
        futures::future::join_all(self.0.iter().map(|job| job.scrape_once(now, store))).await;
    }

    pub(in crate::engine) fn status(&self) -> Vec<TargetStatus> {
        self.0.iter().flat_map(|job| job.status()).collect()
    }

    /// Starts two tasks for each job: one looks for targets, one scrapes them.
    pub(in crate::engine) fn start(engine: &AlertEngine, tasks: &TaskSet) -> Vec<TaskHandle<()>> {
        let mut handles = Vec::new();
        for job in &engine.parts().jobs.0 {
            let (finder, scraper) = (Arc::clone(job), Arc::clone(job));
            let (engine_of_finder, engine) = (engine.clone(), engine.clone());
            let (until, cancel) = (tasks.cancel_token().clone(), tasks.cancel_token().clone());
            handles.push(
                tasks.spawn(async move { finder.find_targets(engine_of_finder.store(), &until).await }),
            );
            handles.push(tasks.spawn(async move { scraper.scrape_targets(engine.store(), &cancel).await }));
        }
        handles
    }
}
