//! Incremental backups of real servers of several versions.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use alfred_ops_backup::{
    BackupMode, BackupRecord, BackupRequest, MemoryBlobStore, PostgresBackend, RecoveryTarget, Repository,
    RepositoryKey, RepositoryOptions, RestoreRequest,
};
use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_core::{JobContext, SystemEntropy};
use tempfile::TempDir;

struct Site {
    server: PostgresServer,
    repository: Repository,
    context: JobContext,
    home: TempDir,
}

impl Site {
    async fn start(major: u32) -> Self {
        let mut builder = PostgresServer::builder_of(PostgresBinaries::of_version(major).unwrap());
        if major >= 17 {
            builder = builder.setting("summarize_wal", "on");
        }
        let server = builder.setting("autovacuum", "off").start().await.unwrap();
        let context = JobContext::system();
        let options = RepositoryOptions::default().with_key(RepositoryKey::generate(&SystemEntropy));
        let store = Arc::new(MemoryBlobStore::new());
        let repository = Repository::open_or_create(store, options, &context).await.unwrap();
        let home = server.account().private_folder("alfred-ops-test-").unwrap();
        server
            .psql(
                "CREATE TABLE big AS SELECT g AS id, md5(g::text) AS a, repeat(md5((g * 7)::text), 8) AS b \
                 FROM generate_series(1, 40000) g; ALTER TABLE big ADD PRIMARY KEY (id); \
                 CREATE TABLE gone AS SELECT * FROM big; CREATE TABLE cut AS SELECT * FROM big; \
                 CREATE UNLOGGED TABLE fleeting AS SELECT 1 AS x",
            )
            .unwrap();
        // Otherwise the first look at a row changes its page.
        server.psql("VACUUM FREEZE").unwrap();
        Self { server, repository, context, home }
    }

    async fn back_up(&self, request: BackupRequest) -> BackupRecord {
        let backend = PostgresBackend::new(self.server.options());
        self.repository.run_backup(&backend, request, &self.context).await.unwrap()
    }

    async fn restore(&self, record: &BackupRecord, name: &str) -> PathBuf {
        let backend = PostgresBackend::new(self.server.options());
        let data = self.home.path().join(name);
        let request = RestoreRequest::new(&data).with_target(RecoveryTarget::Immediate);
        self.repository.run_restore(record, &backend, &request, &self.context).await.unwrap();
        self.server.account().own_tree(&data).unwrap();
        data
    }

    fn contents(server: &PostgresServer) -> String {
        let sum = |table: &str| {
            server
                .psql(&format!(
                    "SELECT count(*) || md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t"
                ))
                .unwrap()
        };
        format!("{} {} {}", sum("big"), sum("cut"), sum("pg_class"))
    }

    /// Has Postgres compare a data directory with its manifest. Another version's tool does not read the log.
    fn verify(&self, data: &Path) {
        let own = self.server.binaries().has_own("pg_verifybackup");
        let options: &[&Path] = if own { &[] } else { &[Path::new("--no-parse-wal")] };
        self.run("pg_verifybackup", &[options, &[data]].concat());
    }

    fn run(&self, program: &str, arguments: &[&Path]) {
        let mut command = Command::new(self.server.binaries().program(program));
        let output = self.server.account().apply(command.args(arguments)).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Every file of a data directory but those that say how it was made.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if path.is_dir() {
                if name != "pg_wal" {
                    walk(root, &path, found);
                }
            } else if !["backup_manifest", "backup_label", "recovery.signal", "postgresql.auto.conf"]
                .contains(&name.as_str())
            {
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

async fn a_chain_of_changes_restores_as_postgres_would_combine_it(major: u32) {
    let site = Site::start(major).await;
    let full = site.back_up(BackupRequest::full()).await;
    let mut chain = vec![full];
    for change in [
        "UPDATE big SET a = 'changed' WHERE id % 500 = 0; DROP TABLE gone",
        "TRUNCATE cut; INSERT INTO cut SELECT * FROM big WHERE id < 100; CREATE TABLE added AS SELECT 7 AS x",
        "DELETE FROM big WHERE id > 20000; VACUUM big; INSERT INTO big SELECT g, 'new', '' FROM \
         generate_series(30000, 31000) g",
        "SELECT 1",
    ] {
        for statement in change.split("; ") {
            site.server.psql(statement).unwrap();
        }
        // The official client takes the same step; only what the server writes meanwhile may differ.
        let record = site.back_up(BackupRequest::incremental()).await;
        assert_eq!((record.mode, record.note.as_deref()), (BackupMode::Incremental, None));
        assert_eq!(record.base, Some(chain[chain.len() - 1].id));
        assert!(record.stats.received_bytes * 2 < record.stats.raw_bytes, "{:?}", record.stats);
        chain.push(record);
    }
    let before = Site::contents(&site.server);
    let last = &chain[chain.len() - 1];
    site.repository.verify(last, &site.context).await.unwrap();
    let data = site.restore(last, "restored").await;
    site.verify(&data);
    let binaries = site.server.binaries().clone();
    let mut restored = PostgresServer::start_in(data.clone(), binaries, Vec::new()).await.unwrap();
    assert_eq!(Site::contents(&restored), before);
    restored.psql("CREATE EXTENSION amcheck").unwrap();
    restored
        .psql("SELECT bt_index_check(oid, true) FROM pg_class WHERE relkind = 'i' AND relam = 403")
        .unwrap();
    restored.stop();
    // An early member of the chain is as good as before.
    let early = site.restore(&chain[1], "early").await;
    site.verify(&early);
}

#[tokio::test(flavor = "multi_thread")]
async fn chains_of_postgres_17_restore() {
    a_chain_of_changes_restores_as_postgres_would_combine_it(17).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chains_of_postgres_18_restore() {
    a_chain_of_changes_restores_as_postgres_would_combine_it(18).await;
}

async fn an_older_server_is_read_whole_and_stored_by_pages(major: u32) {
    let site = Site::start(major).await;
    let first = site.back_up(BackupRequest::incremental()).await;
    assert!(first.note.unwrap().contains("no earlier backup"));
    site.server.psql("UPDATE big SET a = 'changed' WHERE id % 5000 = 0").unwrap();
    let record = site.back_up(BackupRequest::incremental()).await;
    let note = record.note.as_deref().unwrap();
    assert!(note.contains(&format!("Postgres {major} cannot tell")), "{note}");
    assert_eq!(record.mode, BackupMode::Full);
    assert!(record.stats.new_bytes * 20 < record.stats.raw_bytes, "{:?}", record.stats);
    let before = Site::contents(&site.server);
    let data = site.restore(&record, "restored").await;
    site.verify(&data);
    let binaries = site.server.binaries().clone();
    let restored = PostgresServer::start_in(data, binaries, Vec::new()).await.unwrap();
    assert_eq!(Site::contents(&restored), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn older_servers_are_read_whole_and_stored_by_pages() {
    for major in [13, 14, 15, 16] {
        an_older_server_is_read_whole_and_stored_by_pages(major).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_combination_equals_that_of_pg_combinebackup() {
    let site = Site::start(17).await;
    // Nothing writes between our backup and that of the official client, which is taken right after.
    let port = site.server.options().port.to_string();
    let client = |folder: &Path, since: Option<&Path>| {
        let mut command = Command::new(site.server.binaries().program("pg_basebackup"));
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port, "-c", "fast", "-X", "none", "-D"]);
        command.arg(folder);
        if let Some(since) = since {
            command.arg("--incremental").arg(since.join("backup_manifest"));
        }
        let output = site.server.account().apply(&mut command).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let (full, changes, combined) = ("full", "changes", "combined");
    let [full, changes, combined] = [full, changes, combined].map(|name| site.home.path().join(name));
    site.back_up(BackupRequest::full()).await;
    client(&full, None);
    site.server.psql("UPDATE big SET a = 'changed' WHERE id % 300 = 0").unwrap();
    site.server.psql("DELETE FROM cut WHERE id > 100").unwrap();
    site.server.psql("VACUUM cut").unwrap();
    site.server.psql("CHECKPOINT").unwrap();
    let record = site.back_up(BackupRequest::incremental()).await;
    assert_eq!(record.mode, BackupMode::Incremental);
    client(&changes, Some(&full));
    site.run("pg_combinebackup", &[&full, &changes, Path::new("-o"), &combined]);
    let ours = files(&site.restore(&record, "ours").await);
    let theirs = files(&combined);
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    let differing: Vec<&String> =
        theirs.iter().filter(|(path, data)| ours[*path] != **data).map(|(path, _)| path).collect();
    // The control file holds the time and place of the last checkpoint, which each backup makes.
    assert_eq!(differing, ["global/pg_control"]);
}
