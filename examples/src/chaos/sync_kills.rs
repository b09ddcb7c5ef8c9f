//! Destroys a primary and its synchronous archiver at random moments and looks whether anything that was
//! acknowledged is missing.
//!
//! Each round starts this program again as a host that archives, and has clients insert rows and note which
//! were acknowledged. At a moment drawn from the seed the host gets SIGKILL, the server stops without flushing,
//! and its data directory is gone. What the repository restores is the next round's primary, on the next
//! timeline: it must hold every row that was ever acknowledged.

#![expect(clippy::print_stdout, reason = "a program that reports")]

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use alfred_ops_backup::{BackupRecord, BackupRequest, PostgresBackend, RestoreRequest};
use alfred_ops_core::testing::servers::{Account, PostgresServer};
use alfred_ops_core::{Clock as _, EntropyExt as _, JobContext, Result, SeededEntropy, SystemClock};
use tempfile::TempDir;

use super::Blows;
use super::host::{Host, SLOT, Task};
use super::surroundings::{breach, repository, session, system, until};

/// Clients that insert at once.
const CLIENTS: u64 = 4;
/// Rows that each client wants to insert; a round ends long before.
const ROWS: u64 = 20_000;
/// A new backup after so many rounds, so that the log to replay stays short.
const ROUNDS_PER_BACKUP: u32 = 10;

/// A primary, which goes with its folder.
struct Site {
    server: PostgresServer,
    _home: Option<TempDir>,
}

pub(super) async fn run(blows: Blows) -> Result<()> {
    let server = PostgresServer::builder()?.setting("max_wal_senders", "10").start().await?;
    server.psql("CREATE TABLE t (id bigint)")?;
    server.psql(&format!("ALTER SYSTEM SET synchronous_standby_names = '{SLOT}'"))?;
    server.psql("SELECT pg_reload_conf()")?;
    let folder = server.account().private_folder("alfred-ops-sync-kills-")?;
    let store = folder.path().join("repository");
    let (clock, context) = (SystemClock::new(), JobContext::system());
    let entropy = SeededEntropy::new(blows.seed);
    let mut site = Site { server, _home: None };
    let mut backup = None;
    let mut acknowledged = BTreeSet::new();
    for run in 1..=blows.runs {
        let mut host =
            Host::new(site.server.options(), &store, Task::Archive { synchronous: true }).spawn()?;
        let in_sync = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        until(&site.server, in_sync, "1").await?;
        let record = match backup.take() {
            Some(record) if run % ROUNDS_PER_BACKUP != 1 => record,
            _ => {
                let backend = PostgresBackend::new(site.server.options());
                let repository = repository(&store, &context).await?;
                repository.run_backup(&backend, BackupRequest::full(), &context).await?
            }
        };
        let clients = (0..CLIENTS)
            .map(|client| insert(&site.server, (u64::from(run) * CLIENTS + client) * ROWS, folder.path()))
            .collect::<Result<Vec<_>>>()?;
        let moment = Duration::from_millis(50 + entropy.below(500));
        clock.sleep(moment).await;
        host.kill().map_err(system("kill the host"))?;
        site.server.kill();
        host.wait().map_err(system("wait for the host"))?;
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
            return Err(breach(format!("{lost} acknowledged rows are lost")));
        }
    }
    println!("{} rows were acknowledged, 0 lost", acknowledged.len());
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
    let (repository, backend) = (repository(store, context).await?, PostgresBackend::new(lost.options()));
    repository.run_restore(record, &backend, &RestoreRequest::new(&data), context).await?;
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
    let output = File::create(&noted).map_err(system("make a file"))?;
    let inserts = (first..first + ROWS).map(|id| format!("INSERT INTO t VALUES ({id}) RETURNING id;\n"));
    Ok(Client { process: session(server, inserts, Stdio::from(output))?, noted })
}

impl Client {
    fn acknowledged(mut self) -> Result<Vec<u64>> {
        self.process.wait().map_err(system("wait for a client"))?;
        let text = std::fs::read_to_string(&self.noted).map_err(system("read a file"))?;
        let _ = std::fs::remove_file(&self.noted);
        // A number without its end of line was not written whole.
        Ok(text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect())
    }
}
