//! Kills hosts within backups, archiving, prunes and restores.
//!
//! Each round starts this program again as a host, and ends it with SIGKILL at a moment drawn from the seed.
//! Then the repository must open, every backup in it verify and the next host go on; what the server was told
//! is safe must be stored; and what was restored must be what the database holds. Every round is four days
//! later on the hosts' clocks, so that prunes remove what earlier ones have marked.

#![expect(clippy::print_stdout, reason = "a program that reports")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{PostgresBackend, Repository, WalArchiveOptions, WalArchiver};
use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{
    Clock as _, EntropyExt as _, JobContext, Lsn, Result, SeededEntropy, SystemClock, TaskSet,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::Blows;
use super::host::{Host, SLOT, Task, newest};
use super::surroundings::{archive, breach, repository, run as run_program, session, system, until};

/// Thousands of rows, about as many megabytes.
const THOUSANDS: u32 = 16;
const HOURS_PER_ROUND: i64 = 96;
/// Backups that a prune finds.
const BACKUPS_TO_PRUNE: usize = 5;
/// How long an archiver works at most before it is killed.
const ARCHIVING: Duration = Duration::from_millis(600);

/// What a host is killed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Full,
    Incremental,
    Seal,
    Prune,
    Restore,
}

impl Stage {
    const ALL: [Self; 5] = [Self::Full, Self::Incremental, Self::Seal, Self::Prune, Self::Restore];
}

pub(super) async fn run(blows: Blows) -> Result<()> {
    let mut ground = Ground::lay(blows.seed).await?;
    for run in 1..=blows.runs {
        // In turns, so that each number of runs strikes all stages alike.
        let stage = Stage::ALL[usize::try_from(run).unwrap_or(0) % Stage::ALL.len()];
        ground.strike(run, stage).await?;
    }
    ground.archive_the_rest(&ground.context()).await?;
    // The server drops the slot of a dead host when it notices that its connection is gone.
    until(&ground.server, "SELECT count(*) FROM pg_replication_slots WHERE temporary", "0").await?;
    for (stage, (before, after)) in &ground.struck {
        println!("{stage:?}: {before} killed before their end, {after} after");
    }
    println!("no slot left behind");
    Ok(())
}

/// The database, the repository, and what happened so far.
struct Ground {
    server: PostgresServer,
    folder: TempDir,
    entropy: SeededEntropy,
    clock: SystemClock,
    hours_ahead: i64,
    /// How long an undisturbed host takes.
    takes: BTreeMap<Stage, Duration>,
    /// How many were killed before their end, and how many after.
    struck: BTreeMap<Stage, (u32, u32)>,
}

impl Ground {
    async fn lay(seed: u64) -> Result<Self> {
        let server = PostgresServer::builder()?.setting("max_wal_senders", "10").start().await?;
        server.psql(&format!(
            "CREATE TABLE t AS SELECT g, repeat(md5(g::text || random()), 30) AS c \
             FROM generate_series(1, {THOUSANDS} * 1000) g"
        ))?;
        server.psql("CREATE TABLE written (id bigint)")?;
        let folder = server.account().private_folder("alfred-ops-kills-")?;
        let mut ground = Self {
            server,
            folder,
            entropy: SeededEntropy::new(seed),
            clock: SystemClock::new(),
            hours_ahead: 0,
            takes: BTreeMap::new(),
            struck: BTreeMap::new(),
        };
        let context = ground.context();
        // The slot comes before the first backup, so that the log has no gap after it.
        ground.archive_the_rest(&context).await?;
        for stage in [Stage::Full, Stage::Incremental, Stage::Prune, Stage::Restore] {
            let host = ground.host(ground.task(stage));
            let started = ground.clock.monotonic();
            let ended = host.spawn()?.wait().map_err(system("wait for a host"))?;
            let took = ground.clock.monotonic() - started;
            if !ended.success() {
                return Err(breach(format!("an undisturbed host failed at {stage:?}")));
            }
            println!("{stage:?} takes an undisturbed host {} ms", took.as_millis());
            ground.takes.insert(stage, took);
        }
        ground.takes.insert(Stage::Seal, ARCHIVING);
        ground.remove_restored()?;
        Ok(ground)
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    fn restored(&self) -> PathBuf {
        self.folder.path().join("restored")
    }

    fn task(&self, stage: Stage) -> Task {
        match stage {
            Stage::Full => Task::Backup { full: true },
            Stage::Incremental => Task::Backup { full: false },
            Stage::Seal => Task::Archive { synchronous: false },
            Stage::Prune => Task::Prune,
            Stage::Restore => Task::Restore { into: self.restored() },
        }
    }

    fn host(&self, task: Task) -> Host {
        Host::new(self.server.options(), &self.store(), task).ahead(self.hours_ahead)
    }

    /// A context on the hosts' clock.
    fn context(&self) -> JobContext {
        self.host(Task::Prune).context()
    }

    async fn repository(&self) -> Result<Repository> {
        repository(&self.store(), &self.context()).await
    }

    fn archiver(&self, repository: Repository) -> Result<WalArchiver> {
        Ok(WalArchiver::new(self.server.options(), repository, WalArchiveOptions::new(SLOT)?))
    }

    async fn strike(&mut self, run: u32, stage: Stage) -> Result<()> {
        self.hours_ahead += HOURS_PER_ROUND;
        self.server.psql(&format!("UPDATE t SET c = md5(c || {run}) || c WHERE g % 97 = {run} % 97"))?;
        if stage == Stage::Prune {
            while self.repository().await?.backups().await?.len() < BACKUPS_TO_PRUNE {
                self.host(Task::Backup { full: false }).be().await?;
            }
        }
        let before = self.repository().await?.backups().await?.len();
        let whole = self.takes.get(&stage).copied().unwrap_or(ARCHIVING);
        let moment = Duration::from_micros(self.entropy.below(u64::try_from(whole.as_micros()).unwrap_or(1)));
        let ended = self.start_and_kill(stage, run, moment).await?;
        let context = self.context();
        match stage {
            Stage::Full | Stage::Incremental => self.look_at_backups(before, stage, &context).await?,
            Stage::Seal => self.look_at_the_log(&context).await?,
            Stage::Prune => self.look_at_what_is_kept(&context).await?,
            Stage::Restore => self.look_at_what_is_restored(&context).await?,
        }
        let (cut_short, complete) = self.struck.entry(stage).or_default();
        *if ended { complete } else { cut_short } += 1;
        println!("run {run}: {stage:?} killed after {} ms, all whole", moment.as_millis());
        Ok(())
    }

    /// Starts a host and kills it. Returns whether it had ended by then.
    async fn start_and_kill(&self, stage: Stage, run: u32, moment: Duration) -> Result<bool> {
        let mut child = self.host(self.task(stage)).spawn()?;
        let mut writer = None;
        if stage == Stage::Seal {
            let active = format!("SELECT active FROM pg_replication_slots WHERE slot_name = '{SLOT}'");
            until(&self.server, &active, "t").await?;
            let first = u64::from(run) * 100_000;
            let rows = (first..first + 100_000).map(|id| format!("INSERT INTO written VALUES ({id});\n"));
            writer = Some(session(&self.server, rows, Stdio::null())?);
        }
        self.clock.sleep(moment).await;
        let ended = child.try_wait().map_err(system("look at a host"))?.is_some();
        child.kill().and_then(|()| child.wait()).map_err(system("kill a host"))?;
        if let Some(mut writer) = writer {
            writer.kill().and_then(|()| writer.wait()).map_err(system("stop a client"))?;
        }
        Ok(ended)
    }

    /// The older ones were verified in earlier rounds.
    async fn look_at_backups(&self, before: usize, stage: Stage, context: &JobContext) -> Result<()> {
        let repository = self.repository().await?;
        for record in repository.backups().await?.iter().skip(before.saturating_sub(1)) {
            repository.verify(record, context).await?;
        }
        self.host(self.task(stage)).be().await?;
        repository.verify(&newest(&repository).await?, context).await?;
        Ok(())
    }

    /// What the server may forget must be stored, without a gap, and the next archiver goes on there.
    async fn look_at_the_log(&self, context: &JobContext) -> Result<()> {
        let repository = self.repository().await?;
        let report = self.archiver(repository.clone())?.inspect(context).await?;
        let told: Lsn = self
            .server
            .psql(&format!("SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = '{SLOT}'"))?
            .parse()?;
        if report.stored < told || report.gap.is_some() {
            let what =
                format!("the server was told {told}, stored is {}, gap {:?}", report.stored, report.gap);
            return Err(breach(what));
        }
        let end = self.archive_the_rest(context).await?;
        let report = self.archiver(repository.clone())?.inspect(context).await?;
        if report.stored < end || report.gap.is_some() {
            let what = format!("{end} was confirmed, stored is {}, gap {:?}", report.stored, report.gap);
            return Err(breach(what));
        }
        let backend = PostgresBackend::new(self.server.options());
        backend.verify_wal(&repository, &newest(&repository).await?, context).await?;
        Ok(())
    }

    /// Archives all that the server has written, and returns how far that is.
    async fn archive_the_rest(&self, context: &JobContext) -> Result<Lsn> {
        let end: Lsn = self.server.psql("SELECT pg_current_wal_flush_lsn()")?.parse()?;
        // A dead host may still hold the slot for a moment.
        until(&self.server, "SELECT count(*) FROM pg_replication_slots WHERE active AND NOT temporary", "0")
            .await?;
        let archiver = Arc::new(self.archiver(self.repository().await?)?);
        let tasks = TaskSet::new(&CancellationToken::new());
        let archiving = archive(&archiver, context, &tasks);
        let stored = archiver.wait_until_stored(end, context).await;
        tasks.shutdown().await;
        archiving.await??;
        stored.map(|()| end)
    }

    async fn look_at_what_is_kept(&self, context: &JobContext) -> Result<()> {
        let repository = self.repository().await?;
        for record in repository.backups().await? {
            repository.verify(&record, context).await?;
        }
        self.host(Task::Prune).be().await?;
        let kept = repository.backups().await?;
        if kept.len() != 2 {
            return Err(breach(format!("{} backups are kept instead of 2", kept.len())));
        }
        for record in kept {
            repository.verify(&record, context).await?;
        }
        Ok(())
    }

    /// A restore that was cut short goes on, and what comes of it is what the database holds.
    async fn look_at_what_is_restored(&self, context: &JobContext) -> Result<()> {
        self.archive_the_rest(context).await?;
        let into = self.restored();
        if into.join("global/pg_control").exists() {
            // It had ended, with a shorter log.
            self.remove_restored()?;
        }
        self.host(Task::Restore { into: into.clone() }).be().await?;
        let mut check = Command::new(self.server.binaries().program("pg_verifybackup"));
        run_program(check.arg("--no-parse-wal").arg(&into))?;
        let copy = PostgresServer::start_in(into, self.server.binaries().clone(), Vec::new()).await?;
        until(&copy, "SELECT pg_is_in_recovery()", "f").await?;
        let content = "SELECT count(*), md5(string_agg(c, '' ORDER BY g)) FROM t \
                       UNION ALL SELECT count(*), sum(id)::text FROM written";
        let (found, wanted) = (copy.psql(content)?, self.server.psql(content)?);
        drop(copy);
        if found != wanted {
            return Err(breach(format!("restored {found:?} instead of {wanted:?}")));
        }
        self.remove_restored()
    }

    fn remove_restored(&self) -> Result<()> {
        std::fs::remove_dir_all(self.restored()).map_err(system("remove a folder"))
    }
}
