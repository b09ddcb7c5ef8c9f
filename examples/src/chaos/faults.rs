//! Lets an S3 server and the network fail while backups go on, and looks whether everything heals.
//!
//! Each run is a day of one service on a server that fails by chance, behind a line that is cut now and then:
//! an archiver that is started again whenever it ends, backups of both kinds, a prune and a restore, any of
//! which may fail. Then the faults end. The repository must open, every backup in it verify, whatever was
//! confirmed be there without a gap, the next backup succeed, and the restored cluster be what the database
//! holds.

#![expect(clippy::print_stdout, reason = "a program that reports")]

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::testing::servers::S3Server;
use alfred_ops_backup::{
    BackupRequest, PostgresBackend, Repository, RepositoryOptions, RestoreRequest, S3BlobStore,
    WalArchiveOptions, WalArchiver, WalSource,
};
use alfred_ops_core::testing::servers::{PostgresServer, TcpProxy};
use alfred_ops_core::{
    ClockExt as _, EntropyExt as _, JobContext, Lsn, Result, SeededEntropy, SystemClock, TaskSet,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::Blows;
use super::host::{SLOT, newest_only};
use super::surroundings::{breach, system, until};

const BUCKET: &str = "chaos";
/// An archiver that is started again whenever it ends gets anywhere within this time, without faults.
const LIMIT: Duration = Duration::from_secs(60);
/// Of a hundred requests so many fail.
const PERCENT: u8 = 6;
/// Things that a service does on such a day.
const DEEDS: u64 = 8;
/// A line is cut after this many bytes at most.
const CUT_BYTES: u64 = 24 << 20;

pub(super) async fn run(blows: Blows) -> Result<()> {
    let entropy = SeededEntropy::new(blows.seed);
    let mut builder = PostgresServer::builder()?;
    for (name, value) in settings() {
        builder = builder.setting(name, value);
    }
    let server = builder.start().await?;
    server.psql(
        "CREATE TABLE t AS SELECT g, repeat(md5(g::text || random()), 30) AS c FROM generate_series(1, 8000) g",
    )?;
    let mut total = 0;
    for run in 1..=blows.runs {
        let day = Day::begin(&server, entropy.next_u64()).await?;
        let (done, failed) = day.pass(run).await?;
        let hit = day.storage.hit();
        total += hit;
        day.look_what_is_left().await?;
        println!("run {run}: {done} deeds done, {failed} failed, {hit} requests hit, all healed");
    }
    println!("{total} requests hit in all");
    Ok(())
}

/// Of connections that were cut some are still there. What is restored needs as many.
fn settings() -> Vec<(String, String)> {
    vec![("max_wal_senders".to_owned(), "20".to_owned())]
}

/// A database, storage, and the lines to both.
struct Day<'a> {
    server: &'a PostgresServer,
    line: TcpProxy,
    storage: S3Server,
    folder: TempDir,
    entropy: SeededEntropy,
    context: JobContext,
    archiver: Arc<WalArchiver>,
    repository: Repository,
}

impl<'a> Day<'a> {
    async fn begin(server: &'a PostgresServer, seed: u64) -> Result<Self> {
        let storage = S3Server::start(&[BUCKET]).await?;
        let line = TcpProxy::start(server.options().port).await?;
        let context = JobContext::system();
        let store = Arc::new(S3BlobStore::connect(storage.options(BUCKET)).await?);
        let repository = Repository::open_or_create(store, RepositoryOptions::default(), &context).await?;
        let options = WalArchiveOptions::new(SLOT)?
            .with_seal_after(Duration::from_millis(50))
            .with_seal_bytes(64 << 10);
        let through_line = server.options().with_port(line.port());
        let archiver = Arc::new(WalArchiver::new(through_line, repository.clone(), options));
        let folder = server.account().private_folder("alfred-ops-faults-")?;
        let entropy = SeededEntropy::new(seed);
        Ok(Self { server, line, storage, folder, entropy, context, archiver, repository })
    }

    fn backend(&self) -> PostgresBackend {
        PostgresBackend::new(self.server.options().with_port(self.line.port()))
            .with_wal(WalSource::Archiver(Arc::clone(&self.archiver)))
    }

    /// The archiver, started again whenever it ends.
    fn archive(&self, tasks: &TaskSet) {
        let archiver = Arc::clone(&self.archiver);
        let context = self.context.clone().with_cancel(tasks.cancel_token().clone());
        tasks.spawn(async move {
            while !context.cancel.is_cancelled() {
                let _ = archiver.run(&context).await;
                context.clock.sleep(Duration::from_millis(20)).await;
            }
        });
    }

    /// Lets the day pass. Returns how many deeds were done and how many failed.
    async fn pass(&self, run: u32) -> Result<(u32, u32)> {
        let tasks = TaskSet::new(&CancellationToken::new());
        self.archive(&tasks);
        self.storage.fail_by_chance(self.entropy.next_u64(), PERCENT);
        let (mut done, mut failed) = (0, 0);
        for deed in 0..DEEDS {
            self.server.psql(&format!("UPDATE t SET c = md5(c || {run}) || c WHERE g % 11 = {deed}"))?;
            if self.entropy.below(3) == 0 {
                self.line.cut_after(self.entropy.below(CUT_BYTES));
            }
            match self.do_something().await {
                Ok(()) => done += 1,
                Err(error) => {
                    failed += 1;
                    println!("   failed, as it may: {}", error.full());
                }
            }
        }
        self.storage.heal();
        self.line.up();
        tasks.shutdown().await;
        Ok((done, failed))
    }

    async fn do_something(&self) -> Result<()> {
        let backend = self.backend();
        let back_up = |request| self.repository.run_backup(&backend, request, &self.context);
        match self.entropy.below(6) {
            0 | 1 => back_up(BackupRequest::full()).await.map(drop),
            2 | 3 => back_up(BackupRequest::incremental()).await.map(drop),
            4 => self.repository.prune(&newest_only(), &self.context).await.map(drop),
            _ => {
                let into = self.folder.path().join("restored");
                let Some(record) = self.repository.backups().await?.pop() else { return Ok(()) };
                let request = RestoreRequest::new(&into);
                let restored = self.repository.run_restore(&record, &backend, &request, &self.context).await;
                // Whatever came of it, the next one begins anew.
                let _ = std::fs::remove_dir_all(into);
                restored.map(drop)
            }
        }
    }

    /// After the last fault everything must be as if there had been none.
    async fn look_what_is_left(self) -> Result<()> {
        let context = &self.context;
        let confirmed = self.archiver.stored();
        let store = Arc::new(S3BlobStore::connect(self.storage.options(BUCKET)).await?);
        let repository = Repository::open_or_create(store, RepositoryOptions::default(), context).await?;
        for record in repository.backups().await? {
            repository.verify(&record, context).await?;
        }
        let tasks = TaskSet::new(&CancellationToken::new());
        self.archive(&tasks);
        let end: Lsn = self.server.psql("SELECT pg_current_wal_flush_lsn()")?.parse()?;
        self.archiver_reaches(end).await?;
        let report = self.archiver.inspect(context).await?;
        if report.stored < end.max(confirmed) || report.gap.is_some() {
            let what =
                format!("{confirmed} was confirmed, stored is {}, gap {:?}", report.stored, report.gap);
            return Err(breach(what));
        }
        for record in repository.backups().await? {
            self.backend().verify_wal(&repository, &record, context).await?;
        }
        let backend = self.backend();
        let next = repository.run_backup(&backend, BackupRequest::full(), context).await?;
        let end: Lsn = self.server.psql("SELECT pg_current_wal_flush_lsn()")?.parse()?;
        self.archiver_reaches(end).await?;
        tasks.shutdown().await;
        let into = self.folder.path().join("restored");
        repository.run_restore(&next, &backend, &RestoreRequest::new(&into), context).await?;
        let copy = PostgresServer::start_in(into, self.server.binaries().clone(), settings()).await?;
        until(&copy, "SELECT pg_is_in_recovery()", "f").await?;
        let content = "SELECT count(*), md5(string_agg(c, '' ORDER BY g)) FROM t";
        if copy.psql(content)? != self.server.psql(content)? {
            return Err(breach("what was restored is not what the database holds"));
        }
        drop(copy);
        until(self.server, "SELECT count(*) FROM pg_replication_slots WHERE active", "0").await?;
        self.server.psql(&format!("SELECT pg_drop_replication_slot('{SLOT}')"))?;
        self.storage.stop().await;
        self.folder.close().map_err(system("remove a folder"))
    }

    /// Waits until a position is stored, through any number of runs of the archiver.
    async fn archiver_reaches(&self, end: Lsn) -> Result<()> {
        let clock = SystemClock::shared();
        let reached = async {
            while self.archiver.wait_until_stored(end, &self.context).await.is_err() {
                clock.sleep(Duration::from_millis(20)).await;
            }
        };
        clock.timeout(LIMIT, "wait for the archiver", reached).await
    }
}
