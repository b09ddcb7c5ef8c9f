//! Destroys a primary and its synchronous archiver at random moments and looks whether anything that was
//! acknowledged is missing.
//!
//! Each round starts this program again as a host that archives, and has clients insert rows and note which
//! were acknowledged. At a moment drawn from the seed the host gets SIGKILL, the server stops without flushing,
//! and its data directory is gone. What the repository restores is the next round's primary, on the next
//! timeline: it must hold every row that was ever acknowledged.

#![expect(clippy::print_stdout, reason = "a program that reports on standard output")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{
    BackupRecord, BackupRequest, LocalBlobStore, PostgresBackend, Repository, RepositoryOptions,
    RestoreRequest, WalArchiveOptions, WalArchiver,
};
use alfred_ops_core::testing::servers::{Account, PostgresServer};
use alfred_ops_core::{
    Clock as _, ClockExt as _, EntropyExt as _, Error, ErrorKind, JobContext, PostgresOptions, Result,
    SeededEntropy, SystemClock,
};
use clap::Parser;
use tempfile::TempDir;

/// Clients that insert at once.
const CLIENTS: u64 = 4;
/// Rows that each client wants to insert; a round ends long before.
const ROWS: u64 = 20_000;
/// A new backup after so many rounds, so that the log to replay stays short.
const ROUNDS_PER_BACKUP: u32 = 10;
/// What a server or a host needs to get ready.
const LIMIT: Duration = Duration::from_secs(60);

/// Destroys a primary and its synchronous archiver at random moments.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often.
    #[arg(long, default_value_t = 200)]
    runs: u32,
    /// The moments are drawn from it; the same seed draws the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// For the host that is killed: the server whose log it archives.
    #[arg(long, hide = true, requires = "store")]
    server: Option<String>,
    /// For the host that is killed: the repository's folder.
    #[arg(long, hide = true)]
    store: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match (&arguments.server, &arguments.store) {
        (Some(server), Some(store)) => be_the_host(server, store).await,
        _ => destroy_sites(&arguments).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {}", error.full());
            ExitCode::FAILURE
        }
    }
}

async fn repository(store: &Path) -> Result<Repository> {
    let store = Arc::new(LocalBlobStore::open(store).await?);
    Repository::open_or_create(store, RepositoryOptions::default(), &JobContext::system()).await
}

async fn be_the_host(server: &str, store: &Path) -> Result<()> {
    let server: PostgresOptions = server.parse()?;
    let options = WalArchiveOptions::new("alfred_ops")?.synchronous();
    WalArchiver::new(server, repository(store).await?, options).run(&JobContext::system()).await
}

/// A primary, which goes with its folder.
struct Site {
    server: PostgresServer,
    _home: Option<TempDir>,
}

async fn destroy_sites(arguments: &Arguments) -> Result<()> {
    println!("seed {}, {} runs, {CLIENTS} clients", arguments.seed, arguments.runs);
    let server = PostgresServer::builder()?.setting("max_wal_senders", "10").start().await?;
    server.psql("CREATE TABLE t (id bigint)")?;
    server.psql("ALTER SYSTEM SET synchronous_standby_names = 'alfred_ops'")?;
    server.psql("SELECT pg_reload_conf()")?;
    let folder = server.account().private_folder("alfred-ops-sync-kills-")?;
    let store = folder.path().join("repository");
    let (clock, context) = (SystemClock::new(), JobContext::system());
    let entropy = SeededEntropy::new(arguments.seed);
    let mut site = Site { server, _home: None };
    let mut backup = None;
    let mut acknowledged = BTreeSet::new();
    for run in 1..=arguments.runs {
        let mut host = host(&site.server, &store)?;
        until(&site.server, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", "1")
            .await?;
        let record = match backup.take() {
            Some(record) if run % ROUNDS_PER_BACKUP != 1 => record,
            _ => {
                let backend = PostgresBackend::new(site.server.options());
                repository(&store).await?.run_backup(&backend, BackupRequest::full(), &context).await?
            }
        };
        let clients = (0..CLIENTS)
            .map(|client| insert(&site.server, (u64::from(run) * CLIENTS + client) * ROWS, folder.path()))
            .collect::<Result<Vec<_>>>()?;
        let moment = Duration::from_millis(50 + entropy.below(500));
        clock.sleep(moment).await;
        host.kill().map_err(|source| system("kill the host", source))?;
        site.server.kill();
        host.wait().map_err(|source| system("wait for the host", source))?;
        let before = acknowledged.len();
        for client in clients {
            acknowledged.extend(client.acknowledged()?);
        }
        let new = acknowledged.len() - before;

        site = restored(&site.server, &store, &record, &context).await?;
        backup = Some(record);
        let held = site.server.psql("SELECT id FROM t")?;
        let held: BTreeSet<u64> = held.lines().filter_map(|id| id.parse().ok()).collect();
        let lost = acknowledged.difference(&held).count();
        println!("run {run}: destroyed after {} ms, {new} acknowledged, {lost} lost", moment.as_millis());
        if lost > 0 {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "compare",
                format!("{lost} acknowledged rows are lost"),
            ));
        }
    }
    println!("{} rows were acknowledged, 0 lost", acknowledged.len());
    println!("{} passed, 0 failed", arguments.runs);
    Ok(())
}

/// Brings the newest state back as a new primary.
async fn restored(
    lost: &PostgresServer,
    store: &Path,
    record: &BackupRecord,
    context: &JobContext,
) -> Result<Site> {
    let home = Account::find()?.private_folder("alfred-ops-sync-kills-site-")?;
    let data = home.path().join("data");
    let backend = PostgresBackend::new(lost.options());
    repository(store).await?.run_restore(record, &backend, &RestoreRequest::new(&data), context).await?;
    let server = PostgresServer::start_in(data, lost.binaries().clone(), Vec::new()).await?;
    until(&server, "SELECT pg_is_in_recovery()", "f").await?;
    Ok(Site { server, _home: Some(home) })
}

/// A client, and the file in which it notes what was acknowledged.
struct Client {
    process: Child,
    noted: PathBuf,
}

/// Starts a client that inserts the numbers from `first` on, each in a transaction of its own.
fn insert(server: &PostgresServer, first: u64, folder: &Path) -> Result<Client> {
    let noted = folder.join(format!("noted-{first}"));
    let output = std::fs::File::create(&noted).map_err(|source| system("make a file", source))?;
    let script = folder.join("script");
    let inserts = (first..first + ROWS).map(|id| format!("INSERT INTO t VALUES ({id}) RETURNING id;\n"));
    std::fs::write(&script, inserts.collect::<String>()).map_err(|source| system("write a file", source))?;
    let input = std::fs::File::open(&script).map_err(|source| system("open a file", source))?;
    std::fs::remove_file(&script).map_err(|source| system("remove a file", source))?;
    let mut psql = Command::new(server.binaries().program("psql"));
    psql.args(["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-U", "postgres", "-d", "postgres", "-p"]);
    psql.arg(server.options().port.to_string());
    psql.stdin(input).stdout(output).stderr(Stdio::null());
    let process = psql.spawn().map_err(|source| system("start a client", source))?;
    Ok(Client { process, noted })
}

impl Client {
    fn acknowledged(mut self) -> Result<Vec<u64>> {
        self.process.wait().map_err(|source| system("wait for a client", source))?;
        let text = std::fs::read_to_string(&self.noted).map_err(|source| system("read a file", source))?;
        let _ = std::fs::remove_file(&self.noted);
        // A number without its end of line was not written whole.
        Ok(text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect())
    }
}

async fn until(server: &PostgresServer, sql: &str, wanted: &str) -> Result<()> {
    let clock = SystemClock::shared();
    let reached = async {
        while server.psql(sql)? != wanted {
            clock.sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    };
    clock.timeout(LIMIT, "wait for Postgres", reached).await?
}

fn host(server: &PostgresServer, store: &Path) -> Result<Child> {
    let program = std::env::current_exe().map_err(|source| system("find this program", source))?;
    Command::new(program)
        .arg("--server")
        .arg(server.options().to_url().expose())
        .arg("--store")
        .arg(store)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|source| system("start the host", source))
}

fn system(operation: &'static str, source: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, operation, "the system refused").with_source(source)
}
