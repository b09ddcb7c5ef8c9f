//! Kills a host at random moments of a backup and looks at what is left.
//!
//! Each round starts this program again as a host that takes one backup into the one repository, and ends it
//! with SIGKILL at a moment drawn from the seed. After each round the repository must open, every backup in
//! it must verify, no unfinished one may be listed, and the next backup must succeed.

#![expect(clippy::print_stdout, reason = "a program that reports on standard output")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{BackupRequest, LocalBlobStore, PostgresBackend, Repository, RepositoryOptions};
use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{
    Clock as _, EntropyExt as _, Error, ErrorKind, JobContext, PostgresOptions, Result, SeededEntropy,
    SystemClock,
};
use clap::Parser;

/// Kills a host at random moments of a backup and looks at what is left.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often.
    #[arg(long, default_value_t = 50)]
    runs: u32,
    /// The moments are drawn from it; the same seed draws the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Megabytes of data.
    #[arg(long, default_value_t = 64)]
    megabytes: u32,
    /// For the host that is killed: the server to back up.
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
        _ => kill_hosts(&arguments).await,
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
    repository(store)
        .await?
        .run_backup(&PostgresBackend::new(server), BackupRequest::full(), &JobContext::system())
        .await?;
    Ok(())
}

async fn kill_hosts(arguments: &Arguments) -> Result<()> {
    println!("seed {}, {} runs", arguments.seed, arguments.runs);
    let server = PostgresServer::builder()?.start().await?;
    server.psql(&format!(
        "CREATE TABLE t AS SELECT g, repeat(md5(g::text || random()), 30) AS c FROM generate_series(1, {} * 1000) g",
        arguments.megabytes
    ))?;
    let folder = server.account().private_folder("alfred-ops-kill-")?;
    let store = folder.path().join("repository");
    let (clock, context) = (SystemClock::new(), JobContext::system());
    let backend = PostgresBackend::new(server.options());
    let started = clock.monotonic();
    if !host(&server, &store)?.wait().map_err(|source| system("wait for the host", source))?.success() {
        return Err(Error::new(ErrorKind::Internal, "measure a backup", "the undisturbed host failed"));
    }
    let whole = clock.monotonic() - started;
    println!("an undisturbed host takes {} ms", whole.as_millis());

    let entropy = SeededEntropy::new(arguments.seed);
    let (mut finished, mut unfinished) = (0, 0);
    for run in 1..=arguments.runs {
        let before = repository(&store).await?.backups().await?.len();
        let mut child = host(&server, &store)?;
        let span = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX);
        let moment = Duration::from_micros(entropy.below(span));
        clock.sleep(moment).await;
        child.kill().and_then(|()| child.wait()).map_err(|source| system("kill the host", source))?;

        let repository = repository(&store).await?;
        let backups = repository.backups().await?;
        if backups.len() == before {
            unfinished += 1;
        } else {
            finished += 1;
        }
        // The older ones were verified in earlier rounds.
        for record in backups.iter().skip(before.saturating_sub(1)) {
            repository.verify(record, &context).await?;
        }
        let next = repository.run_backup(&backend, BackupRequest::full(), &context).await?;
        repository.verify(&next, &context).await?;
        println!(
            "run {run}: killed after {} ms, {} backups, all whole",
            moment.as_millis(),
            backups.len() + 1
        );
    }
    // The server drops the slot of a dead host when it notices that its connection is gone.
    while server.psql("SELECT count(*) FROM pg_replication_slots")? != "0" {
        clock.sleep(Duration::from_millis(20)).await;
    }
    println!("{unfinished} killed before their commit, {finished} after; no slot left behind");
    println!("{} passed, 0 failed", arguments.runs);
    Ok(())
}

fn host(server: &PostgresServer, store: &Path) -> Result<std::process::Child> {
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
