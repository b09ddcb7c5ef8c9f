//! Clocks that jump.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;

use alfred_ops_backup::{
    Backend, BackupRequest, Captured, MemoryBackend, MemoryBlobStore, Repository, RepositoryOptions,
    RestoreRequest, Restored, RetentionPolicy, SnapshotReader, SnapshotWriter,
};
use alfred_ops_core::testing::JumpingClock;
use alfred_ops_core::{ErrorKind, JobContext, Result, SystemClock};
use async_trait::async_trait;
use chrono::TimeDelta;

/// A service during whose capture the host's clock jumps.
#[derive(Debug)]
struct Service {
    memory: MemoryBackend,
    clock: JumpingClock,
    jump: TimeDelta,
}

#[async_trait]
impl Backend for Service {
    fn kind(&self) -> &str {
        self.memory.kind()
    }

    async fn capture(&self, context: &JobContext, snapshot: &mut SnapshotWriter) -> Result<Captured> {
        let captured = self.memory.capture(context, snapshot).await;
        self.clock.jump(self.jump);
        captured
    }

    async fn restore(
        &self,
        context: &JobContext,
        snapshot: SnapshotReader,
        request: &RestoreRequest,
    ) -> Result<Restored> {
        self.memory.restore(context, snapshot, request).await
    }
}

#[tokio::test]
async fn a_clock_that_jumps_costs_at_most_the_backup_under_way() {
    let clock = JumpingClock::new(SystemClock::shared());
    let context = JobContext::system().with_clock(Arc::new(clock.clone()));
    let store = Arc::new(MemoryBlobStore::new());
    let repository = Repository::open_or_create(store, RepositoryOptions::default(), &context).await.unwrap();
    let policy = RetentionPolicy::default().with_copies_min(3).with_calendar(0, 0, 0);
    let mut service = Service { memory: MemoryBackend::new(), clock: clock.clone(), jump: TimeDelta::zero() };
    let hours = [0, 5, -5, 100, -300, -24 * 365, 24 * 400, 1, -90, 70];
    for (number, hours) in hours.into_iter().enumerate() {
        service.memory.insert(format!("file {number}"), vec![u8::try_from(number).unwrap(); 100_000]);
        service.jump = TimeDelta::hours(hours);
        let state = service.memory.state();
        match repository.run_backup(&service, BackupRequest::incremental(), &context).await {
            Ok(record) => {
                assert!(hours < 71, "what it needs may have been removed meanwhile");
                repository.run_restore(&record, &service, &RestoreRequest::new(""), &context).await.unwrap();
                assert_eq!(service.memory.state(), state);
            }
            Err(error) => {
                assert!(hours >= 71, "{error}");
                assert_eq!(error.kind(), ErrorKind::Conflict);
                assert_eq!(error.remedy(), Some("take the backup again"));
            }
        }
        repository.prune(&policy, &context).await.unwrap();
        let backups = repository.backups().await.unwrap();
        assert!(backups.len() >= 3.min(number), "{} after {number}", backups.len());
        for record in backups {
            repository.verify(&record, &context).await.unwrap();
        }
    }
}
