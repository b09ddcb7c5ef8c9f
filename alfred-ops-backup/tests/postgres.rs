//! Backups of a real Postgres, restored to a server that starts.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::testing::conformance;
use alfred_ops_backup::testing::servers::S3Server;
use alfred_ops_backup::{
    BackupRequest, BlobStore, LocalBlobStore, MemoryBlobStore, PostgresBackend, RecoveryTarget, Repository,
    RepositoryOptions, RestoreRequest, S3BlobStore, WalArchiveOptions, WalArchiver, WalSource,
};
use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_core::{ErrorKind, JobContext, Lsn, TaskSet};
use tokio_util::sync::CancellationToken;

const CHECKSUM: &str =
    "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM tasks t";

async fn server() -> PostgresServer {
    let server = PostgresServer::builder().unwrap().setting("max_wal_senders", "10").start().await.unwrap();
    server
        .psql(
            "CREATE TABLE tasks AS SELECT g AS id, md5(g::text) || repeat(md5((g * 7)::text), 20) AS content \
             FROM generate_series(1, 20000) g; CREATE INDEX ON tasks (id)",
        )
        .unwrap();
    server
}

async fn repository(store: Arc<dyn BlobStore>, context: &JobContext) -> Repository {
    Repository::open_or_create(store, RepositoryOptions::default(), context).await.unwrap()
}

async fn start_restored(from: &PostgresServer, data: &Path) -> PostgresServer {
    let restored =
        PostgresServer::start_in(data.to_owned(), from.binaries().clone(), Vec::new()).await.unwrap();
    let clock = alfred_ops_core::SystemClock::shared();
    // Promotion follows the end of recovery; waiting for it is waiting for a state.
    while restored.psql("SELECT pg_is_in_recovery()").unwrap() == "t" {
        clock.sleep(Duration::from_millis(20)).await;
    }
    restored
}

fn verify_with_postgres(server: &PostgresServer, data: &Path) {
    let output = Command::new(server.binaries().program("pg_verifybackup")).arg(data).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_backup_on_s3_comes_back_equal() {
    let server = server().await;
    let s3 = S3Server::start(&["backups"]).await.unwrap();
    let context = JobContext::system();
    let store = S3BlobStore::connect(s3.options("backups")).await.unwrap();
    let repository = repository(Arc::new(store), &context).await;
    let backend = PostgresBackend::new(server.options());

    let before = server.psql(CHECKSUM).unwrap();
    let record = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
    server.psql("DROP TABLE tasks").unwrap();

    let report = repository.verify(&record, &context).await.unwrap();
    assert_eq!(report.raw_bytes, record.stats.raw_bytes);
    assert!(record.stats.stored_bytes * 2 < record.stats.raw_bytes, "{:?}", record.stats);

    let home = server.account().private_folder("alfred-ops-test-").unwrap();
    let data = home.path().join("restored");
    let request = RestoreRequest::new(&data).with_target(RecoveryTarget::Immediate);
    repository.run_restore(&record, &backend, &request, &context).await.unwrap();
    verify_with_postgres(&server, &data);
    let restored = start_restored(&server, &data).await;
    assert_eq!(restored.psql(CHECKSUM).unwrap(), before);

    let again = repository.run_restore(&record, &backend, &request, &context).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists, "{again}");
    s3.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archiver_carries_a_backup_to_a_restore_point() {
    let server = server().await;
    let context = JobContext::system();
    let repository = repository(Arc::new(MemoryBlobStore::new()), &context).await;
    let options = WalArchiveOptions::new("alfred_ops").unwrap().with_seal_after(Duration::from_millis(200));
    let archiver = Arc::new(WalArchiver::new(server.options(), repository.clone(), options));
    let tasks = TaskSet::new(&CancellationToken::new());
    let running = tasks.spawn({
        let (archiver, context) =
            (Arc::clone(&archiver), context.clone().with_cancel(tasks.cancel_token().clone()));
        async move { archiver.run(&context).await }
    });
    let backend = PostgresBackend::new(server.options()).with_wal(WalSource::Archiver(Arc::clone(&archiver)));
    let record = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();

    server.psql("INSERT INTO tasks VALUES (-1, 'marked')").unwrap();
    let wanted = server.psql(CHECKSUM).unwrap();
    let point: Lsn = server.psql("SELECT pg_create_restore_point('proof')").unwrap().parse().unwrap();
    server.psql("INSERT INTO tasks VALUES (-2, 'later'); DROP TABLE tasks").unwrap();
    archiver.wait_until_stored(point, &context).await.unwrap();
    tasks.shutdown().await;
    running.await.unwrap().unwrap();

    let home = server.account().private_folder("alfred-ops-test-").unwrap();
    let data = home.path().join("restored");
    let late = RestoreRequest::new(&data).with_target(RecoveryTarget::Lsn(Lsn(point.0 + (1 << 40))));
    let error = repository.run_restore(&record, &backend, &late, &context).await.unwrap_err();
    assert!(error.to_string().contains("behind the stored WAL"), "{error}");
    assert!(!data.exists(), "a target that cannot be reached is refused before anything is written");

    let request = RestoreRequest::new(&data).with_target(RecoveryTarget::Name("proof".to_owned()));
    let restored = repository.run_restore(&record, &backend, &request, &context).await.unwrap();
    assert!(restored.log_bytes > 0);
    let restored = start_restored(&server, &data).await;
    assert_eq!(restored.psql(CHECKSUM).unwrap(), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archiver_goes_on_where_the_store_ends() {
    let server = server().await;
    let context = JobContext::system();
    let repository = repository(Arc::new(MemoryBlobStore::new()), &context).await;
    let backend = PostgresBackend::new(server.options());
    let record = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
    let log = record.log.clone().unwrap();
    for round in 0..3 {
        let options = WalArchiveOptions::new("alfred_ops").unwrap();
        let archiver = WalArchiver::new(server.options(), repository.clone(), options);
        let run = context.clone().with_cancel(CancellationToken::new());
        let lsn: Lsn = {
            server.psql(&format!("INSERT INTO tasks VALUES ({round} - 10, 'round')")).unwrap();
            server.psql("SELECT pg_current_wal_insert_lsn()").unwrap().parse().unwrap()
        };
        let stop = async {
            let waited = archiver.wait_until_stored(lsn, &context).await;
            run.cancel.cancel();
            waited
        };
        let (ran, waited) = tokio::join!(archiver.run(&run), stop);
        ran.unwrap();
        waited.unwrap();
    }
    let wanted = server.psql(CHECKSUM).unwrap();
    assert!(repository.log(&log.log).stored_until(log.positions.start).await.unwrap() > log.positions.end);
    let home = server.account().private_folder("alfred-ops-test-").unwrap();
    let data = home.path().join("restored");
    repository.run_restore(&record, &backend, &RestoreRequest::new(&data), &context).await.unwrap();
    assert_eq!(start_restored(&server, &data).await.psql(CHECKSUM).unwrap(), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn tablespaces_go_where_they_are_told() {
    let server = server().await;
    let place = server.account().private_folder("alfred-ops-test-").unwrap();
    server.psql(&format!("CREATE TABLESPACE fast LOCATION '{}'", place.path().display())).unwrap();
    server.psql("CREATE TABLE placed TABLESPACE fast AS SELECT generate_series(1, 5000) AS x").unwrap();
    let context = JobContext::system();
    let home = server.account().private_folder("alfred-ops-test-").unwrap();
    let store = LocalBlobStore::open(home.path().join("store")).await.unwrap();
    let repository = repository(Arc::new(store), &context).await;
    let backend = PostgresBackend::new(server.options());
    let record = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();

    let data = home.path().join("restored");
    let request = RestoreRequest::new(&data);
    let error = repository.run_restore(&record, &backend, &request, &context).await.unwrap_err();
    assert!(error.to_string().contains(&place.path().display().to_string()), "{error}");
    assert!(!data.exists());

    let elsewhere = server.account().private_folder("alfred-ops-test-").unwrap();
    let request = request.with_relocation(place.path().display().to_string(), elsewhere.path().join("fast"));
    repository.run_restore(&record, &backend, &request, &context).await.unwrap();
    server.account().own_tree(&elsewhere.path().join("fast")).unwrap();
    verify_with_postgres(&server, &data);
    let restored = start_restored(&server, &data).await;
    assert_eq!(restored.psql("SELECT sum(x) FROM placed").unwrap(), "12502500");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract_of_backends() {
    for major in [13, 15] {
        let binaries = PostgresBinaries::of_version(major).unwrap();
        let server = PostgresServer::builder_of(binaries).start().await.unwrap();
        conformance::backend(&PostgresBackend::new(server.options())).await;
        // The server drops a temporary slot when it notices that its connection is gone.
        let clock = alfred_ops_core::SystemClock::shared();
        while server.psql("SELECT count(*) FROM pg_replication_slots").unwrap() != "0" {
            clock.sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_cluster_is_mended_by_reading_only_what_differs() {
    let mut server = server().await;
    let context = JobContext::system();
    let repository = repository(Arc::new(MemoryBlobStore::new()), &context).await;
    let backend = PostgresBackend::new(server.options());
    server.psql("VACUUM FREEZE").unwrap();
    let before = server.psql(CHECKSUM).unwrap();
    let record = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
    server.psql("CREATE TABLE later AS SELECT 1 AS x").unwrap();
    server.psql("UPDATE tasks SET content = 'x' WHERE id % 1000 = 0").unwrap();
    let file = server.psql("SELECT pg_relation_filepath('tasks')").unwrap();
    let data = server.data_dir().to_owned();
    let request = RestoreRequest::new(&data).with_target(RecoveryTarget::Immediate);

    let update = request.clone().with_update();
    let error = repository.run_restore(&record, &backend, &update, &context).await.unwrap_err();
    assert!(error.to_string().contains("runs in the destination"), "{error}");
    server.stop();
    let error = repository.run_restore(&record, &backend, &request, &context).await.unwrap_err();
    assert!(error.full().contains("allow an update"), "{}", error.full());
    std::fs::write(data.join("stray"), "x").unwrap();
    let mut damaged = std::fs::read(data.join(&file)).unwrap();
    damaged[100_000] ^= 1;
    std::fs::write(data.join(&file), damaged).unwrap();
    // The first attempt is interrupted; the second goes on without being told.
    let cancel = CancellationToken::new();
    let cancelled = context.clone().with_cancel(cancel.clone());
    cancel.cancel();
    let error = repository.run_restore(&record, &backend, &update, &cancelled).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    let refused = PostgresServer::start_in(data.clone(), server.binaries().clone(), Vec::new()).await;
    assert!(refused.is_err(), "a half-restored cluster does not start");
    let restored = repository.run_restore(&record, &backend, &request, &context).await.unwrap();
    assert!(restored.present_bytes * 100 > restored.bytes * 80, "{restored:?}");
    assert!(!data.join("stray").exists());
    // As a kill at the very last step would leave it: it goes on from there too.
    let control = data.join("global/pg_control");
    std::fs::rename(&control, data.join("global/pg_control.restoring")).unwrap();
    repository.run_restore(&record, &backend, &request, &context).await.unwrap();
    assert!(control.exists());
    server.account().own_tree(&data).unwrap();
    verify_with_postgres(&server, &data);
    server.restart().await.unwrap();
    let clock = alfred_ops_core::SystemClock::shared();
    while server.psql("SELECT pg_is_in_recovery()").unwrap() == "t" {
        clock.sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.psql(CHECKSUM).unwrap(), before);
    assert!(server.psql("SELECT * FROM later").is_err());

    server.stop();
    let other = PostgresServer::builder().unwrap().start().await.unwrap();
    let foreign = PostgresBackend::new(other.options());
    let record = repository.run_backup(&foreign, BackupRequest::full(), &context).await.unwrap();
    let error = repository.run_restore(&record, &foreign, &update, &context).await.unwrap_err();
    assert!(error.to_string().contains("the backup is of cluster"), "{error}");
}
