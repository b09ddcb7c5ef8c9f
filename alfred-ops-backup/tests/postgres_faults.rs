//! What goes wrong around a server while it is backed up: its network, its slot, its role, its clock.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{
    BackupRequest, MemoryBlobStore, PostgresBackend, Repository, RepositoryOptions, RestoreRequest,
    WalArchiveOptions, WalArchiver, WalSource,
};
use alfred_ops_core::testing::servers::{PostgresServer, TcpProxy};
use alfred_ops_core::{
    ClockExt as _, ErrorKind, JobContext, Lsn, Result, Retry, SystemClock, TaskHandle, TaskSet,
};
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;

/// A server with 30 MB that do not compress, and a line to it.
async fn server() -> (PostgresServer, TcpProxy) {
    let builder = PostgresServer::builder().unwrap().setting("max_wal_senders", "10");
    let server = builder.setting("fsync", "off").start().await.unwrap();
    server
        .psql(
            "CREATE TABLE t AS SELECT id, string_agg(md5(random()::text), '') AS c \
             FROM generate_series(1, 30000) id, generate_series(1, 30) GROUP BY id",
        )
        .unwrap();
    let line = TcpProxy::start(server.options().port).await.unwrap();
    (server, line)
}

async fn repository(context: &JobContext) -> Repository {
    let store = Arc::new(MemoryBlobStore::new());
    Repository::open_or_create(store, RepositoryOptions::default(), context).await.unwrap()
}

fn through(server: &PostgresServer, line: &TcpProxy) -> PostgresBackend {
    PostgresBackend::new(server.options().with_port(line.port()))
}

fn archiver(server: &PostgresServer, line: &TcpProxy, repository: &Repository) -> Arc<WalArchiver> {
    let options = WalArchiveOptions::new("alfred_ops").unwrap().with_seal_after(Duration::from_millis(50));
    Arc::new(WalArchiver::new(server.options().with_port(line.port()), repository.clone(), options))
}

/// A server whose log is archived through a line that a test cuts.
struct Archived {
    server: PostgresServer,
    line: TcpProxy,
    context: JobContext,
    repository: Repository,
    archiver: Arc<WalArchiver>,
    tasks: TaskSet,
    /// The first run.
    first: TaskHandle<Result<()>>,
}

impl Archived {
    async fn start() -> Self {
        let (server, line) = server().await;
        let context = JobContext::system();
        let repository = repository(&context).await;
        let archiver = archiver(&server, &line, &repository);
        let tasks = TaskSet::new(&CancellationToken::new());
        let first = run(&archiver, &tasks);
        Self { server, line, context, repository, archiver, tasks, first }
    }
}

/// One run of an archiver.
fn run(archiver: &Arc<WalArchiver>, tasks: &TaskSet) -> TaskHandle<Result<()>> {
    let context = JobContext::system().with_cancel(tasks.cancel_token().clone());
    let archiver = Arc::clone(archiver);
    tasks.spawn(async move { archiver.run(&context).await })
}

async fn until(server: &PostgresServer, sql: &str, wanted: &str) {
    let clock = SystemClock::shared();
    let reached = async {
        while server.psql(sql).unwrap() != wanted {
            clock.sleep(Duration::from_millis(20)).await;
        }
    };
    clock.timeout(LIMIT, "wait for Postgres", reached).await.unwrap();
}

/// Waits for a position. A wait that begins before the new run ends with the reason why the last one ended.
async fn stored(archiver: &WalArchiver, end: Lsn) {
    let (clock, context) = (SystemClock::shared(), JobContext::system());
    let reached = async {
        while archiver.wait_until_stored(end, &context).await.is_err() {
            clock.sleep(Duration::from_millis(20)).await;
        }
    };
    clock.timeout(LIMIT, "store WAL", reached).await.unwrap();
}

fn write(server: &PostgresServer) -> Lsn {
    server.psql("UPDATE t SET c = c || 'x' WHERE id % 1000 = 7").unwrap();
    server.psql("SELECT pg_current_wal_flush_lsn()").unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_line_is_cut_is_none_and_the_next_one_works() {
    let (server, line) = server().await;
    let context = JobContext::system();
    let repository = repository(&context).await;
    let backend = through(&server, &line);
    for bytes in [0, 200, 1000, MIB, 20 * MIB] {
        line.cut_after(bytes.max(1));
        let error = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.full());
        assert_eq!(error.retry(), Retry::After(None), "{}", error.full());
        assert!(error.to_string().contains(&line.port().to_string()), "the server is named: {error}");
        assert!(repository.backups().await.unwrap().is_empty());
    }
    until(&server, "SELECT count(*) FROM pg_replication_slots", "0").await;
    let record = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
    repository.verify(&record, &context).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archiver_whose_line_is_cut_goes_on_without_a_gap() {
    let Archived { server, line, context, repository, archiver, tasks, first } = Archived::start().await;
    stored(&archiver, write(&server)).await;
    let beside = through(&server, &line).with_wal(WalSource::Archiver(Arc::clone(&archiver)));
    let record = repository.run_backup(&beside, BackupRequest::full(), &context).await.unwrap();
    line.cut_after(30_000);
    let end = write(&server);
    let error = first.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::After(None)), "{error}");
    assert!(archiver.stored() < end);
    let again = run(&archiver, &tasks);
    stored(&archiver, end).await;
    tasks.shutdown().await;
    again.await.unwrap().unwrap();
    assert_eq!(archiver.inspect(&context).await.unwrap().gap, None);
    let log = beside.verify_wal(&repository, &record, &context).await.unwrap();
    assert!(log.until.0 + 8 > end.0, "{} {end}", log.until);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_waits_for_an_archiver_that_is_started_again() {
    let Archived { server, line, context, repository, archiver, tasks, first } = Archived::start().await;
    stored(&archiver, write(&server)).await;
    line.down();
    first.await.unwrap().unwrap_err();
    let senders = "SELECT count(*) FROM pg_stat_replication WHERE application_name <> 'alfred_ops'";
    until(&server, senders, "0").await;
    let beside = PostgresBackend::new(server.options()).with_wal(WalSource::Archiver(Arc::clone(&archiver)));
    let backup = repository.run_backup(&beside, BackupRequest::full(), &context);
    let start_again = async {
        until(&server, senders, "1").await;
        until(&server, senders, "0").await;
        line.up();
        Some(run(&archiver, &tasks))
    };
    let (backup, again) = tokio::join!(backup, start_again);
    let record = backup.unwrap();
    tasks.shutdown().await;
    again.unwrap().await.unwrap().unwrap();
    beside.verify_wal(&repository, &record, &context).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_somebody_dropped_is_made_anew_and_what_the_server_kept_closes_the_gap() {
    let Archived { server, line, context, repository, archiver, tasks, first } = Archived::start().await;
    stored(&archiver, write(&server)).await;
    let beside = through(&server, &line).with_wal(WalSource::Archiver(Arc::clone(&archiver)));
    let record = repository.run_backup(&beside, BackupRequest::full(), &context).await.unwrap();
    line.down();
    first.await.unwrap().unwrap_err();
    until(&server, "SELECT count(*) FROM pg_replication_slots WHERE active", "0").await;
    server.psql("SELECT pg_drop_replication_slot('alfred_ops')").unwrap();
    let findings = archiver.inspect(&context).await.unwrap_err();
    assert_eq!(findings.kind(), ErrorKind::Unavailable, "the line is down: {findings}");
    line.up();
    let end = write(&server);
    let report = archiver.inspect(&context).await.unwrap();
    assert!(report.findings().iter().any(|finding| finding.contains("no such slot")), "{report:?}");
    let again = run(&archiver, &tasks);
    stored(&archiver, end).await;
    assert_eq!(archiver.gap(), None);
    tasks.shutdown().await;
    again.await.unwrap().unwrap();
    let log = beside.verify_wal(&repository, &record, &context).await.unwrap();
    assert!(log.until.0 + 8 > end.0, "{} {end}", log.until);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_in_the_middle_of_a_backup_is_told_and_the_next_one_works() {
    let (primary, _) = server().await;
    let standby = primary.start_standby(&[]).await.unwrap();
    let line = TcpProxy::start(standby.options().port).await.unwrap();
    let context = JobContext::system();
    let repository = repository(&context).await;
    let backend = through(&standby, &line);
    line.stall_after(2 * MIB);
    let backup = repository.run_backup(&backend, BackupRequest::full(), &context);
    let promote = async {
        let clock = SystemClock::shared();
        while !line.is_stalled() {
            clock.sleep(Duration::from_millis(5)).await;
        }
        standby.psql("SELECT pg_promote()").unwrap();
        line.up();
    };
    let (outcome, ()) = tokio::join!(backup, promote);
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.full());
    assert_eq!(error.remedy(), Some("take the backup again"), "{}", error.full());
    assert!(repository.backups().await.unwrap().is_empty());

    let record = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
    let home = standby.account().private_folder("alfred-ops-test-").unwrap();
    let data = home.path().join("restored");
    repository.run_restore(&record, &backend, &RestoreRequest::new(&data), &context).await.unwrap();
    let settings = vec![("max_wal_senders".to_owned(), "10".to_owned())];
    let copy = PostgresServer::start_in(data, standby.binaries().clone(), settings).await.unwrap();
    until(&copy, "SELECT pg_is_in_recovery()", "f").await;
    assert_eq!(copy.psql("SELECT count(*) FROM t").unwrap(), "30000");
}
