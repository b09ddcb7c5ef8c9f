//! What is read of the log, compared with Postgres' own tool, and the moments that only the log can tell.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{
    BackupRecord, BackupRequest, MemoryBlobStore, PostgresBackend, RecoveryTarget, Repository,
    RepositoryOptions, RestoreRequest, WalArchiveOptions, WalArchiver,
};
use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_core::{ErrorKind, JobContext, Lsn, SystemClock};
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

struct Site {
    server: PostgresServer,
    /// Where its tablespace lies.
    place: TempDir,
    repository: Repository,
    backend: PostgresBackend,
    record: BackupRecord,
    context: JobContext,
}

impl Site {
    /// A server with a table in a tablespace, and a backup of it.
    async fn start(major: u32) -> Self {
        // The name of a method from 15 on.
        let compression = if major < 15 { "on" } else { "pglz" };
        let server = PostgresServer::builder_of(PostgresBinaries::of_version(major).unwrap())
            .setting("max_prepared_transactions", "5")
            .setting("wal_compression", compression)
            .setting("track_commit_timestamp", "on")
            .start()
            .await
            .unwrap();
        // Not on the command line, which a test could not change.
        server.psql("ALTER SYSTEM SET wal_keep_size = '1GB'").unwrap();
        server.psql("SELECT pg_reload_conf()").unwrap();
        let place = server.account().private_folder("alfred-ops-test-").unwrap();
        server.psql(&format!("CREATE TABLESPACE beside LOCATION '{}'", place.path().display())).unwrap();
        server.psql("CREATE TABLE t (id int PRIMARY KEY, content text) TABLESPACE beside").unwrap();
        let context = JobContext::system();
        let store = Arc::new(MemoryBlobStore::new());
        let repository =
            Repository::open_or_create(store, RepositoryOptions::default(), &context).await.unwrap();
        let backend = PostgresBackend::new(server.options());
        let record = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
        Self { server, place, repository, backend, record, context }
    }

    /// Stores everything that the server has written so far.
    async fn archive(&self) {
        // Flushes what no commit did.
        self.server.psql("SELECT pg_switch_wal()").unwrap();
        let end: Lsn = self.server.psql("SELECT pg_current_wal_flush_lsn()").unwrap().parse().unwrap();
        let options = WalArchiveOptions::new("alfred_ops").unwrap();
        let archiver = WalArchiver::new(self.server.options(), self.repository.clone(), options);
        let run = self.context.clone().with_cancel(CancellationToken::new());
        let stop = async {
            archiver.wait_until_stored(end, &self.context).await.unwrap();
            run.cancel.cancel();
        };
        let (ran, ()) = tokio::join!(archiver.run(&run), stop);
        ran.unwrap();
    }

    async fn refused(&self, target: RecoveryTarget) -> String {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("restored");
        let request = RestoreRequest::new(&data).with_target(target);
        let restore = self.repository.run_restore(&self.record, &self.backend, &request, &self.context);
        let error = restore.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(!data.exists(), "nothing is written for a moment that cannot be reached");
        error.full()
    }

    async fn restored(&self, target: RecoveryTarget) -> String {
        let home = self.server.account().private_folder("alfred-ops-test-").unwrap();
        let (data, place) = (home.path().join("restored"), home.path().join("beside"));
        let request = RestoreRequest::new(&data)
            .with_target(target)
            .with_relocation(self.place.path().display().to_string(), &place);
        self.repository.run_restore(&self.record, &self.backend, &request, &self.context).await.unwrap();
        self.server.account().own_tree(&place).unwrap();
        let settings = vec![("max_prepared_transactions".to_owned(), "5".to_owned())];
        let binaries = self.server.binaries().clone();
        let server = PostgresServer::start_in(data, binaries, settings).await.unwrap();
        let clock = SystemClock::shared();
        while server.psql("SELECT pg_is_in_recovery()").unwrap() == "t" {
            clock.sleep(Duration::from_millis(20)).await;
        }
        server.psql("SELECT string_agg(id::text, ',' ORDER BY id) FROM t WHERE id < 100").unwrap()
    }
}

async fn the_log_reads_as_postgres_reads_it(major: u32) {
    let site = Site::start(major).await;
    for statement in [
        "INSERT INTO t SELECT g + 1000, repeat(md5(g::text), 50) FROM generate_series(1, 3000) g",
        "INSERT INTO t VALUES (1, 'a')",
        "SELECT pg_create_restore_point('before the switch')",
        "SELECT pg_switch_wal()",
        "BEGIN; INSERT INTO t VALUES (2, 'b'); SAVEPOINT s; INSERT INTO t VALUES (3, 'c'); COMMIT",
        "BEGIN; INSERT INTO t VALUES (4, 'd'); PREPARE TRANSACTION 'later'",
        "CHECKPOINT",
        "UPDATE t SET content = 'x' WHERE id % 7 = 0",
        "COMMIT PREPARED 'later'",
        "DROP TABLE IF EXISTS nothing",
        "SELECT pg_create_restore_point('after')",
    ] {
        site.server.psql(statement).unwrap();
    }
    site.archive().await;
    let log = site.backend.verify_wal(&site.repository, &site.record, &site.context).await.unwrap();
    // The last is that of the prepared transaction.
    let at = utc(&site, "(SELECT timestamp FROM pg_last_committed_xact())");
    assert_eq!(log.last_commit_at, Some(at), "Postgres {major}");
    if let Some(records) = records_as_postgres_counts(&site, major, log.until) {
        assert_eq!(log.records, records, "Postgres {major}");
    }
    assert!(log.records > 3000, "Postgres {major}: {log:?}");
    let points: Vec<&str> = log.restore_points.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(points, ["before the switch", "after"]);
}

/// How many records Postgres itself finds between the backup's log and `until`: its tool, or from 15 on its
/// extension. Where there is neither, the link of each record to the one before is what there is.
fn records_as_postgres_counts(site: &Site, major: u32, until: Lsn) -> Option<u64> {
    let start = Lsn(site.record.log.as_ref().unwrap().positions.start);
    if site.server.binaries().has_own("pg_waldump") {
        let mut dump = Command::new(site.server.binaries().program("pg_waldump"));
        dump.arg("-p").arg(site.server.data_dir().join("pg_wal"));
        dump.args(["-s", &start.to_string(), "-e", &until.to_string()]);
        let output = dump.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        return Some(text.lines().filter(|line| line.starts_with("rmgr:")).count() as u64);
    }
    if major < 15 {
        return None;
    }
    site.server.psql("CREATE EXTENSION pg_walinspect").unwrap();
    // It takes a switch to end with the segment that it leaves.
    let until = Lsn(until.0.next_multiple_of(16 << 20));
    let count = format!("SELECT count(*) FROM pg_get_wal_records_info('{start}', '{until}')");
    Some(site.server.psql(&count).unwrap().parse().unwrap())
}

/// A moment that the server names.
fn utc(site: &Site, expression: &str) -> DateTime<Utc> {
    let format = "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'";
    let sql = format!("SELECT to_char({expression} AT TIME ZONE 'UTC', {format})");
    site.server.psql(&sql).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_every_version_reads() {
    for major in [13, 14, 15, 16, 17, 18] {
        the_log_reads_as_postgres_reads_it(major).await;
    }
}

async fn moments_are_looked_up_before_anything_is_written(major: u32) {
    let site = Site::start(major).await;
    let insert = |id: u32| site.server.psql(&format!("INSERT INTO t VALUES ({id}, '')")).unwrap();
    insert(1);
    insert(2);
    let between = utc(&site, "clock_timestamp()");
    // What a read leaves in the log is at worst behind this.
    let position: Lsn = site.server.psql("SELECT pg_current_wal_insert_lsn()").unwrap().parse().unwrap();
    site.server.psql("SELECT pg_create_restore_point('known')").unwrap();
    // Prepared under one number, committed under none.
    site.server.psql("BEGIN; INSERT INTO t VALUES (3, ''); PREPARE TRANSACTION 'p'").unwrap();
    let prepared: u32 =
        site.server.psql("SELECT transaction FROM pg_prepared_xacts").unwrap().parse().unwrap();
    site.server.psql("COMMIT PREPARED 'p'").unwrap();
    insert(4);
    site.archive().await;

    let late = site.refused(RecoveryTarget::Time(site.context.now() + TimeDelta::days(1))).await;
    assert!(
        late.contains("no transaction ended after") && late.contains("the last commit is at 20"),
        "{late}"
    );
    let unknown = site.refused(RecoveryTarget::Name("unknown".to_owned())).await;
    assert!(unknown.contains("since the backup there are: known"), "{unknown}");
    assert!(site.refused(RecoveryTarget::Xid(4_000_000)).await.contains("transaction 4000000"));

    for (target, wanted) in [
        (RecoveryTarget::Time(between), "1,2"),
        (RecoveryTarget::Lsn(position), "1,2"),
        (RecoveryTarget::Name("known".to_owned()), "1,2"),
        (RecoveryTarget::Xid(prepared), "1,2,3"),
    ] {
        println!("Postgres {major}, {target:?}");
        let found = site.restored(target.clone()).await;
        assert_eq!(found, wanted, "Postgres {major}, {target:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_of_older_versions_are_looked_up_before_anything_is_written() {
    for major in [13, 14, 15, 16] {
        moments_are_looked_up_before_anything_is_written(major).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_between_a_backup_and_a_later_slot_is_closed_or_told() {
    let site = Site::start(15).await;
    let run_once = async |wanted: Lsn| {
        let options = WalArchiveOptions::new("alfred_ops").unwrap();
        let archiver = WalArchiver::new(site.server.options(), site.repository.clone(), options);
        let run = site.context.clone().with_cancel(CancellationToken::new());
        let stop = async {
            archiver.wait_until_stored(wanted, &site.context).await.unwrap();
            run.cancel.cancel();
        };
        let (ran, ()) = tokio::join!(archiver.run(&run), stop);
        ran.unwrap();
        // The server notices a little later that nobody streams any more.
        let clock = SystemClock::shared();
        while site.server.psql("SELECT active FROM pg_replication_slots").unwrap() == "t" {
            clock.sleep(Duration::from_millis(20)).await;
        }
        archiver.gap()
    };
    let flushed =
        || -> Lsn { site.server.psql("SELECT pg_current_wal_flush_lsn()").unwrap().parse().unwrap() };
    let advance = || {
        for id in 0..3 {
            site.server
                .psql(&format!(
                    "INSERT INTO t SELECT g + {id}, '' FROM generate_series(1, 10) g ON CONFLICT DO NOTHING"
                ))
                .unwrap();
            site.server.psql("SELECT pg_switch_wal()").unwrap();
        }
        site.server.psql("CHECKPOINT").unwrap();
        site.server.psql("CHECKPOINT").unwrap();
    };
    advance();
    assert_eq!(run_once(flushed()).await, None, "the server still had everything");
    site.backend.verify_wal(&site.repository, &site.record, &site.context).await.unwrap();

    // The slot is lost, and the server removes what nobody keeps.
    site.server.psql("SELECT pg_drop_replication_slot('alfred_ops')").unwrap();
    site.server.psql("ALTER SYSTEM SET wal_keep_size = 0").unwrap();
    site.server.psql("ALTER SYSTEM SET min_wal_size = '32MB'").unwrap();
    site.server.psql("SELECT pg_reload_conf()").unwrap();
    advance();
    advance();
    let gap = run_once(flushed()).await;
    let log = site.record.log.as_ref().unwrap();
    let stored = site.repository.log(&log.log).stored_until(log.positions.start).await.unwrap();
    match gap {
        Some(gap) => assert_eq!(gap.start, Lsn(stored), "it begins where the log ends"),
        None => assert!(Lsn(stored) >= flushed(), "or there is none"),
    }
}
