//! Three processes under one lease, killed and stopped at random: is any slot missed, settled twice, or written
//! late?
//!
//! The parent starts a private Postgres and three children, each this program again, which run a supervisor
//! with a job every second. It then kills (SIGKILL) and stops (SIGSTOP, later SIGCONT) whoever leads, always in
//! the middle of a run, and reads the history in the database. It exits non-zero on any breach.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{
    Activation, Clock as _, EntropyExt as _, Error, ErrorKind, Job, JobContext, JobOptions, JobReport,
    MissedRuns, Outcome, PostgresOptions, PostgresStateStore, Result, RunRecord, SeededEntropy, StateStore,
    Supervisor, SystemClock, Trigger, Write, blocking,
};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const TTL: Duration = Duration::from_secs(2);
const PERIOD: Duration = Duration::from_secs(1);
/// Long enough for the parent to strike in the middle.
const RUN_TAKES: Duration = Duration::from_millis(400);
const POLL: Duration = Duration::from_millis(50);
/// Far above a takeover (a term and a look) on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// A strike costs some four slots; of 150 strikes they are worked off in well under this time.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(600);
const NAME: &str = "leases";
const LEASE_KEY: &str = "lease/leases";
const JOB_KEY: &str = "job/leases/tick";
const LEADER_KEY: &str = "leases/leader";

/// Kills and stops leaders and checks that nothing is lost, repeated or late.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many leaders to kill.
    #[arg(long, default_value_t = 3)]
    kills: u32,
    /// How many leaders to stop until another took over, and then let go on.
    #[arg(long, default_value_t = 3)]
    stops: u32,
    /// What decides the order and the pauses.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Set for the children: where the database is.
    #[arg(long, hide = true)]
    database: Option<PostgresOptions>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match &arguments.database {
        Some(database) => replica(database).await,
        None => Trial::run(&arguments).await,
    }
}

/// A child: one replica, until its input ends.
async fn replica(database: &PostgresOptions) -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let store: Arc<dyn StateStore> = Arc::new(PostgresStateStore::connect(database).await?);
    let options = JobOptions::default()
        .with_missed(MissedRuns::CatchUp { max: 10_000, window: Duration::MAX })
        .with_history_max(250);
    let ops = Supervisor::builder(Arc::clone(&store))
        .name(NAME)
        .lease(TTL)
        .job_with(Tick { store }, options)
        .build()?;
    let input_ends = async {
        let _ = blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
    };
    ops.run_until(input_ends).await
}

/// Says who leads, works, and then writes under its fence, however late.
#[derive(Debug)]
struct Tick {
    store: Arc<dyn StateStore>,
}

#[async_trait::async_trait]
impl Job for Tick {
    fn name(&self) -> &'static str {
        "tick"
    }

    fn activation(&self) -> Activation {
        Activation::Every(PERIOD)
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        let value = json!({"pid": std::process::id(), "epoch": context.fence.as_ref().map(|f| f.epoch)});
        self.write(LEADER_KEY, value.clone(), context).await?;
        // It does not heed its token, as bad jobs do not: what it writes then is what the fence is for.
        context.clock.sleep(RUN_TAKES).await;
        let written = self.write("leases/effect", value, context).await;
        if let Err(error) = &written
            && error.kind() == ErrorKind::Fenced
        {
            let _ = writeln!(std::io::stdout(), "fenced");
        }
        written.map(|()| JobReport::new("ticked"))
    }
}

impl Tick {
    async fn write(&self, key: &str, value: Value, context: &JobContext) -> Result<()> {
        let write = match self.store.get(key).await? {
            None => Write::create(key, value),
            Some(document) => Write::replace(key, value, document.version),
        };
        self.store.put(&write.with_fence(context.fence.clone())).await.map(|_| ())
    }
}

/// The parent's side.
struct Trial {
    server: PostgresServer,
    store: PostgresStateStore,
    clock: SystemClock,
    children: Vec<Child>,
    audit: Audit,
    fenced: usize,
}

impl Trial {
    async fn run(arguments: &Arguments) -> Result<()> {
        println!("seed {}", arguments.seed);
        let chance = SeededEntropy::new(arguments.seed);
        let server = PostgresServer::builder()?.start().await?;
        let store = PostgresStateStore::connect(&server.options()).await?;
        let (clock, audit) = (SystemClock::new(), Audit::default());
        let mut trial = Self { server, store, clock, children: Vec::new(), audit, fenced: 0 };
        for _ in 0..3 {
            trial.spawn()?;
        }
        let mut struck = 0;
        let (mut kills, mut stops) = (arguments.kills, arguments.stops);
        while kills + stops > 0 {
            trial.watch(Duration::from_millis(500 + chance.below(2_500))).await?;
            let (pid, epoch) = trial.leader_in_a_run(struck).await?;
            struck = epoch;
            if chance.below(u64::from(kills + stops)) < u64::from(kills) {
                kills -= 1;
                trial.kill(pid)?;
                trial.spawn()?;
            } else {
                stops -= 1;
                signal(pid, Signal::STOP)?;
                trial.wait_for_takeover(epoch).await?;
                trial.watch(Duration::from_millis(chance.below(2_000))).await?;
                signal(pid, Signal::CONT)?;
            }
        }
        trial.catch_up().await?;
        let now = trial.clock.now();
        trial.end()?;
        println!(
            "{} slots settled, {} skipped, {} abandoned, {} late writes fenced",
            trial.audit.settled.len(),
            trial.audit.settled.values().map(|record| record.skipped).sum::<u64>(),
            trial.audit.abandoned,
            trial.fenced
        );
        trial.audit.verify(now)?;
        if arguments.stops > 0 && trial.fenced == 0 {
            return Err(breach("no stopped leader tried to write late: the trial proves nothing"));
        }
        println!("nothing was missed, settled twice or written late");
        Ok(())
    }

    fn spawn(&mut self) -> Result<()> {
        let program = std::env::current_exe().map_err(io("find this program"))?;
        let child = Command::new(program)
            .arg("--database")
            .arg(self.server.options().to_url().expose())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(io("start a replica"))?;
        self.children.push(child);
        Ok(())
    }

    fn kill(&mut self, pid: u32) -> Result<()> {
        let index = self.children.iter().position(|child| child.id() == pid);
        let index = index.ok_or_else(|| breach("the leader is no child"))?;
        self.children[index].kill().map_err(io("kill a replica"))?;
        let child = self.children.remove(index);
        self.collect(child)
    }

    /// Ends the children in order and counts what they said.
    fn end(&mut self) -> Result<()> {
        for mut child in std::mem::take(&mut self.children) {
            drop(child.stdin.take());
            self.collect(child)?;
        }
        Ok(())
    }

    fn collect(&mut self, child: Child) -> Result<()> {
        let output = child.wait_with_output().map_err(io("wait for a replica"))?;
        self.fenced += String::from_utf8_lossy(&output.stdout).matches("fenced").count();
        Ok(())
    }

    /// Reads the history often enough that no record leaves it unseen.
    async fn watch(&mut self, duration: Duration) -> Result<()> {
        let until = self.clock.monotonic() + duration;
        loop {
            self.look().await?;
            if self.clock.monotonic() >= until {
                return Ok(());
            }
            self.clock.sleep(POLL).await;
        }
    }

    /// Strikes leave slots behind that the last leader works off, two or three a second.
    async fn catch_up(&mut self) -> Result<()> {
        let until = self.clock.monotonic() + CATCH_UP_LIMIT;
        while self.clock.monotonic() < until {
            self.look().await?;
            let newest = self.audit.settled.keys().next_back();
            if newest.is_some_and(|slot| *slot + TimeDelta::seconds(3) > self.clock.now()) {
                return Ok(());
            }
            self.clock.sleep(POLL).await;
        }
        Err(breach(format!("the last leader has not caught up within {CATCH_UP_LIMIT:?}")))
    }

    async fn look(&mut self) -> Result<Value> {
        let Some(document) = self.store.get(JOB_KEY).await? else { return Ok(Value::Null) };
        let history = document.value["history"].clone();
        let history: Vec<RunRecord> =
            serde_json::from_value(history).map_err(|error| breach(format!("a history of {error}")))?;
        self.audit.add(&history)?;
        Ok(document.value)
    }

    async fn value(&self, key: &str) -> Result<Value> {
        Ok(self.store.get(key).await?.map_or(Value::Null, |document| document.value))
    }

    /// Who leads since after epoch `struck`, caught at work.
    async fn leader_in_a_run(&mut self, struck: u64) -> Result<(u32, u64)> {
        let until = self.clock.monotonic() + PATIENCE;
        while self.clock.monotonic() < until {
            let job = self.look().await?;
            let leader = self.value(LEADER_KEY).await?;
            let lease = self.value(LEASE_KEY).await?;
            let epochs = [&job["running"]["epoch"], &leader["epoch"], &lease["epoch"]].map(Value::as_u64);
            let pid = leader["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
            if let ([Some(running), Some(named), Some(held)], Some(pid)) = (epochs, pid)
                && running == named
                && named == held
                && held > struck
            {
                return Ok((pid, held));
            }
            self.clock.sleep(POLL).await;
        }
        Err(breach(format!("nobody led within {PATIENCE:?}")))
    }

    async fn wait_for_takeover(&mut self, epoch: u64) -> Result<()> {
        let until = self.clock.monotonic() + PATIENCE;
        while self.clock.monotonic() < until {
            self.look().await?;
            if self.value(LEASE_KEY).await?["epoch"].as_u64().is_some_and(|present| present > epoch) {
                return Ok(());
            }
            self.clock.sleep(POLL).await;
        }
        Err(breach(format!("nobody took over within {PATIENCE:?}")))
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What the history showed so far.
#[derive(Debug, Default)]
struct Audit {
    settled: BTreeMap<DateTime<Utc>, RunRecord>,
    abandoned: usize,
    last_abandoned: Option<DateTime<Utc>>,
}

impl Audit {
    fn add(&mut self, history: &[RunRecord]) -> Result<()> {
        if !history.is_sorted_by_key(|record| record.epoch) {
            return Err(breach(format!("an older epoch wrote after a newer one: {history:?}")));
        }
        for record in history {
            if record.outcome == Outcome::Abandoned && self.last_abandoned < Some(record.ended_at) {
                self.abandoned += 1;
                self.last_abandoned = Some(record.ended_at);
            }
            if !record.outcome.is_settled() || record.trigger != Trigger::Schedule {
                continue;
            }
            let first = self.settled.entry(record.slot).or_insert_with(|| record.clone());
            if first != record {
                return Err(breach(format!("a slot was settled twice: {first:?} and {record:?}")));
            }
        }
        Ok(())
    }

    /// Each slot is settled, or was skipped by policy and counted.
    fn verify(&self, now: DateTime<Utc>) -> Result<()> {
        let mut expected = self.settled.keys().next().copied().unwrap_or(now);
        for (slot, record) in &self.settled {
            let skipped = TimeDelta::seconds(i64::try_from(record.skipped).unwrap_or(i64::MAX));
            if *slot != expected + skipped {
                return Err(breach(format!("slot {expected} is missing before {slot}")));
            }
            expected = *slot + TimeDelta::seconds(1);
        }
        if expected + TimeDelta::seconds(5) < now {
            return Err(breach(format!("no slot was settled from {expected} to {now}")));
        }
        Ok(())
    }
}

fn signal(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(|| breach("no such process"))?;
    kill_process(pid, signal).map_err(|error| io("signal a replica")(error.into()))
}

fn breach(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Internal, "check leases", what)
}

fn io(operation: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::new(ErrorKind::Unavailable, operation, "the system refused").with_source(source)
}
