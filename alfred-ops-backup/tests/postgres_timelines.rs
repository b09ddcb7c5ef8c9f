//! The log across promotions, restores along either history, and slots that were lost.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{
    BackupRecord, BackupRequest, MemoryBlobStore, PostgresBackend, Repository, RepositoryOptions,
    RestoreRequest, WalArchiveOptions, WalArchiver, WalSource,
};
use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_core::{ClockExt as _, ErrorKind, JobContext, Lsn, Result, TaskHandle, TaskSet};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(60);

/// An archiver that runs until it is stopped.
struct Running {
    archiver: Arc<WalArchiver>,
    tasks: TaskSet,
    run: TaskHandle<Result<()>>,
    context: JobContext,
}

impl Running {
    fn start(server: &PostgresServer, repository: &Repository, options: WalArchiveOptions) -> Self {
        let context = JobContext::system();
        let archiver = Arc::new(WalArchiver::new(server.options(), repository.clone(), options));
        let tasks = TaskSet::new(&CancellationToken::new());
        let run = tasks.spawn({
            let (archiver, context) =
                (Arc::clone(&archiver), context.clone().with_cancel(tasks.cancel_token().clone()));
            async move { archiver.run(&context).await }
        });
        Self { archiver, tasks, run, context }
    }

    fn backend(&self, server: &PostgresServer) -> PostgresBackend {
        PostgresBackend::new(server.options()).with_wal(WalSource::Archiver(Arc::clone(&self.archiver)))
    }

    async fn stored(&self, position: Lsn) {
        let waiting = self.archiver.wait_until_stored(position, &self.context);
        self.context.clock.timeout(LIMIT, "store WAL", waiting).await.unwrap().unwrap();
    }

    async fn stop(self) -> Arc<WalArchiver> {
        self.tasks.shutdown().await;
        self.run.await.unwrap().unwrap();
        self.archiver
    }
}

fn options() -> WalArchiveOptions {
    WalArchiveOptions::new("alfred_ops").unwrap().with_seal_after(Duration::from_millis(100))
}

async fn primary(major: u32) -> PostgresServer {
    println!("Postgres {major}");
    let server = PostgresServer::builder_of(PostgresBinaries::of_version(major).unwrap())
        .setting("max_wal_senders", "10")
        .setting("hot_standby", "on")
        .start()
        .await
        .unwrap();
    server.psql("CREATE TABLE t (id int)").unwrap();
    server
}

async fn repository(context: &JobContext) -> Repository {
    let store = Arc::new(MemoryBlobStore::new());
    Repository::open_or_create(store, RepositoryOptions::default(), context).await.unwrap()
}

fn insert(server: &PostgresServer, id: i32) -> Lsn {
    server.psql(&format!("INSERT INTO t VALUES ({id})")).unwrap();
    server.psql("SELECT pg_current_wal_flush_lsn()").unwrap().parse().unwrap()
}

async fn until(server: &PostgresServer, sql: &str, wanted: &str) {
    let clock = alfred_ops_core::SystemClock::shared();
    let reached = async {
        while server.psql(sql).unwrap() != wanted {
            clock.sleep(Duration::from_millis(20)).await;
        }
    };
    clock.timeout(LIMIT, "wait for Postgres", reached).await.unwrap();
}

/// A restored server, whose folder goes with it.
struct Copy {
    server: PostgresServer,
    _home: TempDir,
}

/// The rows after a restore.
async fn rows(
    server: &PostgresServer,
    repository: &Repository,
    record: &BackupRecord,
    change: impl FnOnce(RestoreRequest) -> RestoreRequest,
) -> (String, Copy) {
    let home = server.account().private_folder("alfred-ops-test-").unwrap();
    let data = home.path().join("restored");
    let context = JobContext::system();
    let request = change(RestoreRequest::new(&data));
    let backend = PostgresBackend::new(server.options());
    repository.run_restore(record, &backend, &request, &context).await.unwrap();
    let copy = PostgresServer::start_in(data, server.binaries().clone(), Vec::new()).await.unwrap();
    until(&copy, "SELECT pg_is_in_recovery()", "f").await;
    let rows = copy.psql("SELECT string_agg(id::text, ',' ORDER BY id) FROM t").unwrap();
    (rows, Copy { server: copy, _home: home })
}

async fn a_backup_restores_across_a_failover_and_along_the_branch_that_was_left(major: u32) {
    let mut old = primary(major).await;
    let context = JobContext::system();
    let repository = repository(&context).await;
    let archiving = Running::start(&old, &repository, options());
    let record =
        repository.run_backup(&archiving.backend(&old), BackupRequest::full(), &context).await.unwrap();
    insert(&old, 1);
    let standby = old.start_standby(&[]).await.unwrap();
    let both = insert(&old, 2);
    until(&standby, &format!("SELECT pg_last_wal_replay_lsn() >= '{both}'"), "t").await;
    standby.psql("SELECT pg_promote()").unwrap();
    // The old primary goes on for a moment: what it wrote is on a branch that nobody follows.
    let lost = insert(&old, 3);
    archiving.stored(lost).await;
    archiving.stop().await;
    old.kill();

    let archiving = Running::start(&standby, &repository, options());
    let kept = insert(&standby, 4);
    archiving.stored(kept).await;
    assert_eq!(archiving.archiver.status().timeline, 2);
    let (found, copy) = rows(&standby, &repository, &record, |request| request).await;
    assert_eq!(found, "1,2,4");
    assert_eq!(copy.server.psql("SELECT timeline_id FROM pg_control_checkpoint()").unwrap(), "3");
    let (found, branch) = rows(&standby, &repository, &record, |request| request.with_timeline(1)).await;
    assert_eq!(found, "1,2,3");
    drop(branch);

    let backend = PostgresBackend::new(standby.options());
    let summary = backend.verify_wal(&repository, &record, &context).await.unwrap();
    assert_eq!(summary.timeline, 2);
    let error = repository
        .run_restore(&record, &backend, &RestoreRequest::new("/nonexistent").with_timeline(7), &context)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no history of timeline 7"), "{error}");

    // A backup of the new primary, and the copy that was restored above goes on beside it.
    let second =
        repository.run_backup(&archiving.backend(&standby), BackupRequest::full(), &context).await.unwrap();
    archiving.stored(insert(&standby, 5)).await;
    assert_eq!(rows(&standby, &repository, &second, |request| request).await.0, "1,2,4,5");
    archiving.stop().await;
    let beside = Running::start(&copy.server, &repository, options());
    beside.stored(insert(&copy.server, 6)).await;
    beside.stop().await;
    let newest = rows(&standby, &repository, &record, |request| request).await.0;
    assert_eq!(newest, "1,2,4,6", "the newest branch that the first backup is part of");
    let main = rows(&standby, &repository, &second, |request| request).await.0;
    assert_eq!(main, "1,2,4,5", "the second backup is not part of the copy's branch");
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_of_older_versions_restore_across_a_failover_and_along_the_branch_that_was_left() {
    for major in [14, 15] {
        a_backup_restores_across_a_failover_and_along_the_branch_that_was_left(major).await;
    }
}

async fn an_archiver_follows_the_promotion_of_the_server_it_streams_from(major: u32) {
    let mut old = primary(major).await;
    let context = JobContext::system();
    let repository = repository(&context).await;
    let standby = old.start_standby(&[]).await.unwrap();
    let archiving = Running::start(&standby, &repository, options());
    archiving.stored(insert(&old, 1)).await;
    let record = repository
        .run_backup(&PostgresBackend::new(old.options()), BackupRequest::full(), &context)
        .await
        .unwrap();
    let last = insert(&old, 2);
    archiving.stored(last).await;
    old.kill();
    standby.psql("SELECT pg_promote()").unwrap();
    archiving.stored(insert(&standby, 3)).await;
    let status = archiving.archiver.status();
    assert_eq!((status.timeline, status.gap), (2, None));
    archiving.stop().await;
    assert_eq!(rows(&standby, &repository, &record, |request| request).await.0, "1,2,3");
}

#[tokio::test(flavor = "multi_thread")]
async fn archivers_of_older_versions_follow_the_promotion_of_the_server_they_stream_from() {
    for major in [13, 14, 15] {
        an_archiver_follows_the_promotion_of_the_server_it_streams_from(major).await;
    }
}

async fn a_slot_that_the_server_gave_up_is_made_anew_and_the_gap_is_told(major: u32) {
    println!("Postgres {major}");
    let server = PostgresServer::builder_of(PostgresBinaries::of_version(major).unwrap())
        .setting("max_slot_wal_keep_size", "16MB")
        .setting("wal_keep_size", "0")
        .setting("min_wal_size", "32MB")
        .start()
        .await
        .unwrap();
    server.psql("CREATE TABLE t (id int)").unwrap();
    let context = JobContext::system();
    let repository = repository(&context).await;
    let archiving = Running::start(&server, &repository, options());
    let backend = archiving.backend(&server);
    let record = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
    archiving.stored(insert(&server, 1)).await;
    let end = archiving.stop().await.stored();

    for id in 2..8 {
        insert(&server, id);
        server.psql("SELECT pg_switch_wal()").unwrap();
        server.psql("CHECKPOINT").unwrap();
    }
    assert_eq!(server.psql("SELECT wal_status FROM pg_replication_slots").unwrap(), "lost");
    let archiving = Running::start(&server, &repository, options());
    archiving.stored(insert(&server, 9)).await;
    let gap = archiving.archiver.status().gap.unwrap();
    assert_eq!(gap.start, end);
    assert_eq!(server.psql("SELECT wal_status FROM pg_replication_slots").unwrap(), "reserved");
    let backend = archiving.backend(&server);
    let next = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
    archiving.stored(insert(&server, 10)).await;
    archiving.stop().await;
    assert_eq!(rows(&server, &repository, &record, |request| request).await.0, "1");
    assert_eq!(rows(&server, &repository, &next, |request| request).await.0, "1,2,3,4,5,6,7,9,10");
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_of_older_versions_that_the_server_gave_up_are_made_anew_and_the_gap_is_told() {
    for major in [13, 14, 15] {
        a_slot_that_the_server_gave_up_is_made_anew_and_the_gap_is_told(major).await;
    }
}

async fn with_a_synchronous_archive_no_acknowledged_commit_is_lost(major: u32) {
    let mut server = primary(major).await;
    let context = JobContext::system();
    let repository = repository(&context).await;
    let archiving = Running::start(&server, &repository, options().synchronous());
    let record =
        repository.run_backup(&archiving.backend(&server), BackupRequest::full(), &context).await.unwrap();
    server.psql("ALTER SYSTEM SET synchronous_standby_names = 'alfred_ops'").unwrap();
    server.psql("SELECT pg_reload_conf()").unwrap();
    until(&server, "SELECT sync_state FROM pg_stat_replication", "sync").await;
    for id in 1..=50 {
        server.psql(&format!("INSERT INTO t VALUES ({id})")).unwrap();
    }
    // Both are gone at once: nothing is flushed, nothing is waited for.
    server.kill();
    let status = archiving.archiver.status();
    drop(archiving);
    assert!(status.confirmed_p99 >= status.confirmed_p50 && status.confirmed_p50.is_some(), "{status:?}");
    let wanted: Vec<String> = (1..=50).map(|id| id.to_string()).collect();
    assert_eq!(rows(&server, &repository, &record, |request| request).await.0, wanted.join(","));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_synchronous_archive_no_acknowledged_commit_of_any_version_is_lost() {
    for major in [13, 15] {
        with_a_synchronous_archive_no_acknowledged_commit_is_lost(major).await;
    }
}
