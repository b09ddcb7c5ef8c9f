//! A Postgres with data to back up.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{BlobStore, LocalBlobStore, PostgresBackend, Repository, RepositoryOptions};
use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{Clock as _, Error, ErrorKind, JobContext, Result, SystemClock};
use tempfile::TempDir;

/// Figures by their names.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// A Postgres with data to back up, and a folder for the results.
pub(crate) struct Cluster {
    pub(crate) server: PostgresServer,
    pub(crate) home: TempDir,
    pub(crate) clock: SystemClock,
    pub(crate) context: JobContext,
}

impl Cluster {
    /// A server with so many megabytes of rows, half of each random.
    pub(crate) async fn start(megabytes: u32) -> Result<Self> {
        let server = PostgresServer::builder()?.setting("max_wal_size", "4GB").start().await?;
        println!("making {megabytes} MB of data");
        server.psql("CREATE TABLE t (id bigint PRIMARY KEY, random text, plain text)")?;
        for part in 0..megabytes.div_ceil(50) {
            server.psql(&format!(
                "INSERT INTO t SELECT n, (SELECT string_agg(md5(random()::text || k), '') \
                 FROM generate_series(1, 16) k WHERE n > 0), repeat('nothing new here; ', 26) \
                 FROM generate_series({part} * 46000 + 1, ({part} + 1) * 46000) n"
            ))?;
        }
        server.psql("CHECKPOINT")?;
        let home = server.account().private_folder("alfred-ops-bench-")?;
        Ok(Self { server, home, clock: SystemClock::new(), context: JobContext::system() })
    }

    pub(crate) fn backend(&self) -> PostgresBackend {
        PostgresBackend::new(self.server.options())
    }

    /// A new repository in a folder.
    pub(crate) async fn local_repository(&self, name: &str) -> Result<Repository> {
        self.repository(Arc::new(LocalBlobStore::open(self.home.path().join(name)).await?)).await
    }

    pub(crate) async fn repository(&self, store: Arc<dyn BlobStore>) -> Result<Repository> {
        Repository::open_or_create(store, RepositoryOptions::default(), &self.context).await
    }

    /// How long a piece of work takes.
    pub(crate) async fn time<T>(&self, work: impl Future<Output = Result<T>>) -> Result<(T, Duration)> {
        let started = self.clock.monotonic();
        let output = work.await?;
        Ok((output, self.clock.monotonic() - started))
    }
}

/// MB (10⁶ bytes) a second.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(crate) fn megabytes_per_second(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

/// The most memory that this process has held so far, in MiB.
pub(crate) fn peak_rss_mib() -> Result<f64> {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let kibibytes =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
    let kibibytes: f64 = kibibytes
        .ok_or_else(|| Error::new(ErrorKind::Unsupported, "measure memory", "the system does not tell"))?;
    Ok(kibibytes / 1024.0)
}
