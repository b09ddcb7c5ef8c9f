//! Backups as a job of a supervisor.

use std::sync::Arc;

use alfred_ops_core::{Activation, Job, JobContext, JobReport, Result, Schedule};
use async_trait::async_trait;

use crate::{Backend, BackupRequest, Repository};

/// Takes a full backup at every slot of its schedule.
#[derive(Debug, Clone)]
pub struct BackupJob {
    repository: Repository,
    backend: Arc<dyn Backend>,
    schedule: Schedule,
    name: String,
}

impl BackupJob {
    /// Backups of `backend` into `repository`. The job is named `backup-KIND`.
    #[must_use]
    pub fn new(repository: Repository, backend: Arc<dyn Backend>, schedule: Schedule) -> Self {
        let name = format!("backup-{}", backend.kind());
        Self { repository, backend, schedule, name }
    }

    /// Another name, where a supervisor has several.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

#[async_trait]
impl Job for BackupJob {
    fn name(&self) -> &str {
        &self.name
    }

    fn activation(&self) -> Activation {
        Activation::At(Arc::new(self.schedule.clone()))
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        let record = self.repository.run_backup(&*self.backend, BackupRequest::full(), context).await?;
        let seconds = record.duration().as_secs_f64();
        let megabytes = record.stats.raw_bytes / 1_000_000;
        Ok(JobReport::new(format!("backup {}: {megabytes} MB in {seconds:.1} s", record.id)))
    }
}
