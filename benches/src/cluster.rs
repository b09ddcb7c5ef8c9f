//! A Postgres with data to back up.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{
    BlobStore, LocalBlobStore, PostgresBackend, Repository, RepositoryKey, RepositoryOptions,
};
use alfred_ops_core::testing::servers::{Account, PostgresBinaries, PostgresServer};
use alfred_ops_core::{
    Clock as _, Error, ErrorKind, JobContext, Result, SystemClock, SystemEntropy, blocking,
};
use tempfile::TempDir;

/// Figures by their names.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// A Postgres with data to back up, and a folder for the results.
pub(crate) struct Cluster {
    pub(crate) server: PostgresServer,
    pub(crate) home: TempDir,
    /// Where the server's Unix socket is.
    pub(crate) sockets: TempDir,
    pub(crate) clock: SystemClock,
    pub(crate) context: JobContext,
}

impl Cluster {
    /// A server of a version with pgbench's tables, every account with a payload that does not compress
    /// well; about so many megabytes.
    pub(crate) async fn start(binaries: PostgresBinaries, megabytes: u32) -> Result<Self> {
        println!("making {megabytes} MB of data");
        // An account with its payload and index entry takes some 300 bytes.
        let cluster = Self::with_scale(binaries, (megabytes / 31).max(1)).await?;
        for statement in [
            "ALTER TABLE pgbench_accounts ADD COLUMN payload text",
            "ALTER TABLE pgbench_accounts ALTER COLUMN payload TYPE text USING \
             md5(aid::text || 'a') || md5(aid::text || 'b') || md5(aid::text || 'c') || md5(aid::text || 'd')",
            "VACUUM FREEZE",
            "CHECKPOINT",
        ] {
            cluster.server.psql(statement)?;
        }
        Ok(cluster)
    }

    /// A server of a version with pgbench's tables of a scale (100,000 accounts each).
    pub(crate) async fn with_scale(binaries: PostgresBinaries, scale: u32) -> Result<Self> {
        let sockets = Account::find()?.private_folder("alfred-ops-sockets-")?;
        let mut builder = PostgresServer::builder_of(binaries)
            .setting("max_wal_size", "8GB")
            .setting("shared_buffers", "512MB")
            .setting("autovacuum", "off")
            .setting("unix_socket_directories", sockets.path().display().to_string());
        if builder.version()? >= 17 {
            builder = builder.setting("summarize_wal", "on");
        }
        let server = builder.start().await?;
        let home = server.account().private_folder("alfred-ops-bench-")?;
        let cluster =
            Self { server, home, sockets, clock: SystemClock::new(), context: JobContext::system() };
        cluster.pgbench(&["-i", "-q", "-s", &scale.to_string()]).await?;
        for statement in ["VACUUM FREEZE", "CHECKPOINT"] {
            cluster.server.psql(statement)?;
        }
        Ok(cluster)
    }

    /// Runs pgbench.
    pub(crate) async fn pgbench(&self, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(self.server.binaries().program("pgbench"));
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &self.server.options().port.to_string()]);
        command.args(arguments).arg("postgres").stdout(Stdio::null()).stderr(Stdio::null());
        run(command).await
    }

    pub(crate) fn backend(&self) -> PostgresBackend {
        PostgresBackend::new(self.server.options())
    }

    /// A new repository in a folder.
    pub(crate) async fn local_repository(&self, name: &str) -> Result<Repository> {
        self.repository(Arc::new(LocalBlobStore::open(self.home.path().join(name)).await?)).await
    }

    pub(crate) async fn repository(&self, store: Arc<dyn BlobStore>) -> Result<Repository> {
        let options = RepositoryOptions::default().with_key(RepositoryKey::generate(&SystemEntropy));
        Repository::open_or_create(store, options, &self.context).await
    }

    /// How long a piece of work takes.
    pub(crate) async fn time<T>(&self, work: impl Future<Output = Result<T>>) -> Result<(T, Duration)> {
        let started = self.clock.monotonic();
        let output = work.await?;
        Ok((output, self.clock.monotonic() - started))
    }
}

/// Runs a program to its end.
pub(crate) async fn run(mut command: Command) -> Result<()> {
    let name = command.get_program().display().to_string();
    let failed = |what: String| Error::new(ErrorKind::Internal, "run a peer", what).with_target(name.clone());
    match blocking(move || command.status()).await? {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(format!("it ended with {status}"))),
        Err(source) => Err(failed("it cannot be started".to_owned()).with_source(source)),
    }
}

/// The shortest of several runs: what disturbs a run only makes it longer.
pub(crate) fn best(runs: Vec<Duration>) -> Duration {
    println!("runs: {runs:.2?}");
    runs.into_iter().min().unwrap_or_default()
}

/// Removes a folder with all that is in it.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    std::fs::remove_dir_all(folder).map_err(|source| {
        Error::new(ErrorKind::Unavailable, "remove a folder", "the system refused").with_source(source)
    })
}

/// The bytes of all files below a folder.
pub(crate) fn folder_bytes(folder: &Path) -> Result<u64> {
    let unreadable = |source| {
        Error::new(ErrorKind::Unavailable, "measure a folder", "it cannot be read").with_source(source)
    };
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let metadata = entry.metadata().map_err(unreadable)?;
        bytes += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

/// A ratio of two measurements.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(crate) fn ratio(ours: u64, peers: u64) -> f64 {
    ours as f64 / peers as f64
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
