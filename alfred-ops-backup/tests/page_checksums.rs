//! Page checksums of real servers of several versions: what the server finds itself, and what is found in a backup.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use alfred_ops_backup::{
    BackupRecord, BackupRequest, BlobInfo, BlobStore, MemoryBlobStore, PageReport, PostgresBackend,
    Repository, RepositoryOptions,
};
use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_core::{Error, ErrorKind, JobContext, PostgresOptions, Result};
use async_trait::async_trait;
use bytes::Bytes;

const PAGE: u64 = 8192;

async fn server(major: u32) -> PostgresServer {
    PostgresServer::builder_of(PostgresBinaries::of_version(major).unwrap())
        .setting("autovacuum", "off")
        // Nothing reaches the disk but by a checkpoint.
        .setting("bgwriter_lru_maxpages", "0")
        .start()
        .await
        .unwrap()
}

/// A table of some 32 MB that hardly compresses, so that packs are sent long before a backup ends.
fn fill(server: &PostgresServer) -> String {
    server
        .psql(
            "CREATE TABLE t AS SELECT g AS id, (SELECT string_agg(md5(random()::text || g || n), '') \
             FROM generate_series(1, 10) n) AS content FROM generate_series(1, 90000) g",
        )
        .unwrap();
    server.psql("VACUUM FREEZE t").unwrap();
    server.psql("CHECKPOINT").unwrap();
    server.psql("SELECT pg_relation_filepath('t')").unwrap()
}

/// Changes one bit of a page on the server's disk.
fn flip(server: &PostgresServer, path: &str, block: u64) {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(server.data_dir().join(path)).unwrap();
    let (at, mut byte) = (block * PAGE + 5000, [0]);
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
}

async fn repository(store: Arc<dyn BlobStore>) -> Repository {
    Repository::open_or_create(store, RepositoryOptions::default(), &JobContext::system()).await.unwrap()
}

async fn back_up(repository: &Repository, backend: &PostgresBackend) -> Result<BackupRecord> {
    repository.run_backup(backend, BackupRequest::full(), &JobContext::system()).await
}

/// What is found without any server.
async fn verified(repository: &Repository, record: &BackupRecord) -> PageReport {
    let nobody = PostgresBackend::new(PostgresOptions::new("localhost", "postgres"));
    nobody.verify_pages(repository, record, &JobContext::system()).await.unwrap()
}

async fn a_cluster_under_load_verifies(major: u32) {
    let server = server(major).await;
    fill(&server);
    let pgbench = |arguments: &[&str]| {
        let mut command = Command::new(server.binaries().program("pgbench"));
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &server.options().port.to_string()]);
        command.args(arguments).arg("postgres").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    assert!(pgbench(&["-i", "-s", "5"]).wait().unwrap().success());
    let mut load = pgbench(&["-c", "4", "-T", "600"]);
    let repository = repository(Arc::new(MemoryBlobStore::new())).await;
    for _ in 0..3 {
        let record = back_up(&repository, &PostgresBackend::new(server.options())).await.unwrap();
        let report = verified(&repository, &record).await;
        assert!(report.checksums && report.pages > 10_000, "{report:?}");
        assert_eq!(report.raw_bytes, record.stats.raw_bytes);
        report.into_result().unwrap();
        server.psql("CHECKPOINT").unwrap();
    }
    load.kill().unwrap();
    load.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_under_load_verifies_15() {
    a_cluster_under_load_verifies(15).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_under_load_verifies_17() {
    a_cluster_under_load_verifies(17).await;
}

async fn damage_on_the_primary_is_named(major: u32) {
    let mut server = server(major).await;
    let path = fill(&server);
    server.stop();
    flip(&server, &path, 3);
    flip(&server, &path, 77);
    server.restart().await.unwrap();
    let repository = repository(Arc::new(MemoryBlobStore::new())).await;

    let error = back_up(&repository, &PostgresBackend::new(server.options())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{}", error.full());
    for word in [path.as_str(), "block 3:", "block 77:", "accept damaged pages"] {
        assert!(error.full().contains(word), "{word}: {}", error.full());
    }
    assert!(repository.backups().await.unwrap().is_empty());

    let accepting = PostgresBackend::new(server.options()).accept_damaged_pages();
    let record = back_up(&repository, &accepting).await.unwrap();
    assert!(record.note.as_ref().unwrap().contains("damaged pages were accepted"), "{:?}", record.note);
    repository.verify(&record, &JobContext::system()).await.unwrap();
    let report = verified(&repository, &record).await;
    let found: Vec<(&str, u32)> =
        report.damaged.iter().map(|page| (page.path.as_str(), page.block)).collect();
    assert_eq!(found, [(path.as_str(), 3), (path.as_str(), 77)]);
    let error = report.into_result().unwrap_err();
    assert!(error.to_string().contains(&format!("block 3 of {path}")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_on_the_primary_is_named_15() {
    damage_on_the_primary_is_named(15).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_on_the_primary_is_named_17() {
    damage_on_the_primary_is_named(17).await;
}

/// A store in memory that does something once, when the first pack comes: a backup is under way then.
struct Meddling {
    inner: MemoryBlobStore,
    meddle: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl std::fmt::Debug for Meddling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddling")
    }
}

#[async_trait]
impl BlobStore for Meddling {
    fn location(&self) -> &str {
        self.inner.location()
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        let meddle = self.meddle.lock().unwrap().take_if(|_| key.starts_with("packs/"));
        if let Some(meddle) = meddle {
            meddle();
        }
        self.inner.put(key, data).await
    }

    async fn create(&self, key: &str, data: Bytes) -> Result<()> {
        self.inner.create(key, data).await
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        self.inner.get(key).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.inner.get_range(key, range).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<BlobInfo>> {
        self.inner.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.inner.delete(key).await
    }
}

/// Two pages are wrong on disk with old positions in their headers. While the backup runs, a row of one of them
/// changes: the log holds an image of it, as of every torn page, and replay makes it right.
async fn what_the_log_restores_is_no_damage(major: u32) {
    let server = Arc::new(server(major).await);
    let path = fill(&server);
    // The server keeps the page in memory as it was.
    server.psql("SELECT id FROM t WHERE ctid = '(9,1)'").unwrap();
    flip(&server, &path, 9);
    flip(&server, &path, 20);
    let meddle: Box<dyn FnOnce() + Send> = {
        let server = Arc::clone(&server);
        Box::new(move || drop(server.psql("DELETE FROM t WHERE ctid = '(9,1)'").unwrap()))
    };
    let store = Meddling { inner: MemoryBlobStore::new(), meddle: Mutex::new(Some(meddle)) };
    let repository = repository(Arc::new(store)).await;
    let backend = PostgresBackend::new(server.options()).accept_damaged_pages();
    let record = back_up(&repository, &backend).await.unwrap();
    let report = verified(&repository, &record).await;
    let found: Vec<u32> = report.damaged.iter().map(|page| page.block).collect();
    assert_eq!(found, [20], "{report:?}");
    assert!(report.torn_pages >= 1, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_restores_is_no_damage_15() {
    what_the_log_restores_is_no_damage(15).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_restores_is_no_damage_17() {
    what_the_log_restores_is_no_damage(17).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_checksums_says_so() {
    let server = PostgresServer::builder_of(PostgresBinaries::of_version(15).unwrap());
    let mut server = server.start().await.unwrap();
    server.stop();
    let mut disable = Command::new(server.binaries().program("pg_checksums"));
    disable.arg("--disable").arg("-D").arg(server.data_dir());
    let output = server.account().apply(&mut disable).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    server.restart().await.unwrap();
    let repository = repository(Arc::new(MemoryBlobStore::new())).await;
    let record = back_up(&repository, &PostgresBackend::new(server.options())).await.unwrap();
    let report = verified(&repository, &record).await;
    assert!(!report.checksums && report.pages == 0 && report.files > 100, "{report:?}");
    let _: std::result::Result<PageReport, Error> = report.into_result();
}
