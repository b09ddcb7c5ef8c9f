//! Backups as a job of a supervisor.

use std::sync::Arc;

use alfred_ops_core::{Activation, Job, JobContext, JobReport, Result};
use async_trait::async_trait;

use crate::{Backend, BackupSchedule, Repository};

/// Takes a backup at every slot of its schedule: full or incremental, as is due.
#[derive(Debug, Clone)]
pub struct BackupJob {
    repository: Repository,
    backend: Arc<dyn Backend>,
    schedule: BackupSchedule,
    name: String,
}

impl BackupJob {
    /// Backups of `backend` into `repository`. The job is named `backup-KIND`.
    #[must_use]
    pub fn new(repository: Repository, backend: Arc<dyn Backend>, schedule: BackupSchedule) -> Self {
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
        Activation::At(Arc::new(self.schedule.slots.clone()))
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        let mut backups = self.repository.catalog().await?.backups;
        backups.retain(|record| record.backend == self.backend.kind());
        let request = self.schedule.due(&backups, context.now());
        let record = self.repository.run_backup(&*self.backend, request, context).await?;
        let seconds = record.duration().as_secs_f64();
        let megabytes = |bytes: u64| bytes / 1_000_000;
        let (raw, stored) = (megabytes(record.stats.raw_bytes), megabytes(record.stats.stored_bytes));
        let note = record.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
        Ok(JobReport::new(format!(
            "backup {}: {raw} MB in {seconds:.1} s, {stored} MB stored{note}",
            record.id
        )))
    }
}
