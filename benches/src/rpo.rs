//! How far back a disaster would take a database, by what its clients see.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::testing::FaultyBlobStore;
use alfred_ops_backup::testing::servers::S3Server;
use alfred_ops_backup::{Repository, S3BlobStore, WalArchiveOptions, WalArchiver};
use alfred_ops_core::testing::servers::PostgresBinaries;
use alfred_ops_core::{
    Clock as _, Error, ErrorKind, Lsn, PostgresOptions, Result, SystemClock, TaskHandle, TaskSet,
};
use sqlx::{Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::cluster::{Cluster, Figures};

const BUCKET: &str = "bench";
const SLOT: &str = "bench";
/// How late each answer of the store is.
const DELAY: Duration = Duration::from_millis(30);
/// Between two commits of the client that is watched.
const PAUSE: Duration = Duration::from_millis(4);
/// How often the archive is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// Each setting is watched for so long without other clients, so that WAL waits for its seal, and for so long
/// again beside pgbench.
pub(crate) async fn measure(quick: bool) -> Result<Figures> {
    let span = Duration::from_secs(if quick { 12 } else { 60 });
    let cluster = Cluster::with_scale(PostgresBinaries::find()?, 10).await?;
    cluster.server.psql("CREATE TABLE commits (id bigserial)")?;
    let server = S3Server::start(&[BUCKET]).await?;
    let store = S3BlobStore::connect(server.options(BUCKET)).await?;
    let repository = cluster.repository(Arc::new(FaultyBlobStore::new(store).with_delay(DELAY))).await?;
    let options = WalArchiveOptions::new(SLOT)?;
    let tuned = options.clone().with_seal_after(Duration::from_millis(250)).with_seal_bytes(64 << 10);
    let (mut safe, mut figures) = (Vec::new(), Vec::new());
    for (name, options) in [("rpo.default_p99_seconds", options.clone()), ("rpo.tuned_p99_seconds", tuned)] {
        let archive = Archive::start(&cluster, &repository, options);
        safe.clear();
        for clients in [0, 2] {
            let loading = archive.tasks.spawn(load(cluster.server.options(), clients, span));
            safe.extend(archive.watch(span).await?.into_iter().map(|commit| commit.safe));
            loading.await??;
        }
        archive.stop().await?;
        figures.push((name, p99(&mut safe).as_secs_f64()));
    }
    let archive = Archive::start(&cluster, &repository, options.synchronous());
    cluster.server.psql(&format!("ALTER SYSTEM SET synchronous_standby_names = '{SLOT}'"))?;
    cluster.server.psql("SELECT pg_reload_conf()")?;
    let commits = archive.watch(span).await?;
    let mut took: Vec<Duration> = commits.iter().map(|commit| commit.took).collect();
    figures.push(("rpo.synchronous_commit_p99_ms", p99(&mut took).as_secs_f64() * 1e3));
    archive.stop().await?;
    server.stop().await;
    Ok(figures)
}

/// A commit as its client saw it.
#[derive(Debug, Clone, Copy)]
struct Commit {
    position: Lsn,
    acknowledged: Duration,
    /// How long it took.
    took: Duration,
    /// How long after its acknowledgement it was stored.
    safe: Duration,
}

/// A running archiver.
struct Archive {
    server: PostgresOptions,
    archiver: Arc<WalArchiver>,
    tasks: TaskSet,
    running: TaskHandle<Result<()>>,
    clock: SystemClock,
}

impl Archive {
    fn start(cluster: &Cluster, repository: &Repository, options: WalArchiveOptions) -> Self {
        let server = cluster.server.options();
        let archiver = Arc::new(WalArchiver::new(server.clone(), repository.clone(), options));
        let tasks = TaskSet::new(&CancellationToken::new());
        let context = cluster.context.clone().with_cancel(tasks.cancel_token().clone());
        let running = tasks.spawn({
            let archiver = Arc::clone(&archiver);
            async move { archiver.run(&context).await }
        });
        Self { server, archiver, tasks, running, clock: cluster.clock.clone() }
    }

    async fn stop(self) -> Result<()> {
        self.tasks.shutdown().await;
        self.running.await?
    }

    /// Commits for so long and notes when each was stored.
    async fn watch(&self, span: Duration) -> Result<Vec<Commit>> {
        let mut client = PgConnection::connect(self.server.to_url().expose()).await.map_err(refused)?;
        let until = self.clock.monotonic() + span;
        let (mut open, mut done): (VecDeque<Commit>, Vec<Commit>) = (VecDeque::new(), Vec::new());
        let mut next = Duration::ZERO;
        while self.clock.monotonic() < until || !open.is_empty() {
            let began = self.clock.monotonic();
            if began < until && began >= next {
                sqlx::query("INSERT INTO commits DEFAULT VALUES")
                    .execute(&mut client)
                    .await
                    .map_err(refused)?;
                let acknowledged = self.clock.monotonic();
                let position: String = sqlx::query_scalar("SELECT pg_current_wal_insert_lsn()::text")
                    .fetch_one(&mut client)
                    .await
                    .map_err(refused)?;
                let (position, took) = (position.parse()?, acknowledged - began);
                open.push_back(Commit { position, acknowledged, took, safe: Duration::ZERO });
                next = acknowledged + PAUSE;
            }
            let (stored, now) = (self.archiver.stored(), self.clock.monotonic());
            while let Some(commit) = open.pop_front_if(|commit| commit.position <= stored) {
                done.push(Commit { safe: now - commit.acknowledged, ..commit });
            }
            self.clock.sleep(LOOK).await;
        }
        println!("{} commits watched", done.len());
        Ok(done)
    }
}

/// pgbench's share of updates: so many clients, for so long.
async fn load(server: PostgresOptions, clients: u32, span: Duration) -> Result<()> {
    let clock = SystemClock::new();
    let until = clock.monotonic() + span;
    let one = |number: u32| {
        let (clock, url) = (clock.clone(), server.to_url());
        async move {
            let mut client = PgConnection::connect(url.expose()).await.map_err(refused)?;
            let mut account = number;
            while clock.monotonic() < until {
                account = account.wrapping_mul(69069).wrapping_add(1);
                sqlx::query("UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = $1")
                    .bind(i64::from(account % 1_000_000))
                    .execute(&mut client)
                    .await
                    .map_err(refused)?;
            }
            Ok::<_, Error>(())
        }
    };
    futures::future::try_join_all((1..=clients).map(one)).await.map(drop)
}

/// What 99 of a hundred do not exceed (nearest rank).
fn p99(values: &mut [Duration]) -> Duration {
    values.sort_unstable();
    let rank = (values.len() * 99).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn refused(source: sqlx::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "ask Postgres", "the query failed").with_source(source)
}
