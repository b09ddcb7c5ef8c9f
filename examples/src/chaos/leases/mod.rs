//! Three processes under one lease, killed and stopped at random: is any slot missed, settled twice, or written
//! late?
//!
//! Three children, each this program again, run a supervisor with a job every second. Whoever leads is killed
//! (SIGKILL) or stopped (SIGSTOP, later SIGCONT), always in the middle of a run, and the history is read in the
//! database.

#![expect(clippy::print_stdout, reason = "a program that reports")]

mod audit;
mod replica;

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{
    Clock as _, EntropyExt as _, PostgresStateStore, Result, RunRecord, SeededEntropy, StateStore as _,
    SystemClock,
};
use chrono::TimeDelta;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use self::audit::Audit;
use super::Blows;
use super::host::{Host, Task};
use super::surroundings::{breach, system};

pub(super) use self::replica::replica;

const TTL: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(50);
/// Far above a takeover (a term and a look) on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// A strike costs some four slots; of 150 strikes they are worked off in well under this time.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(600);
const NAME: &str = "leases";
const LEASE_KEY: &str = "lease/leases";
const JOB_KEY: &str = "job/leases/tick";
const LEADER_KEY: &str = "leases/leader";

/// Two of three blows kill; the others stop the leader until another took over.
pub(super) async fn run(blows: Blows) -> Result<()> {
    let stops = blows.runs.div_ceil(3);
    Trial::run(blows.seed, blows.runs - stops, stops).await
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
    async fn run(seed: u64, kills: u32, stops: u32) -> Result<()> {
        let chance = SeededEntropy::new(seed);
        let server = PostgresServer::builder()?.start().await?;
        let store = PostgresStateStore::connect(&server.options()).await?;
        let (clock, audit) = (SystemClock::new(), Audit::default());
        let mut trial = Self { server, store, clock, children: Vec::new(), audit, fenced: 0 };
        for _ in 0..3 {
            trial.spawn()?;
        }
        let mut struck = 0;
        let (mut kills, mut stops) = (kills, stops);
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
        if trial.fenced == 0 {
            return Err(breach("no stopped leader tried to write late: the trial proves nothing"));
        }
        println!("nothing was missed, settled twice or written late");
        Ok(())
    }

    fn spawn(&mut self) -> Result<()> {
        let host = Host::new(self.server.options(), Path::new("."), Task::Replica);
        self.children.push(host.spawn()?);
        Ok(())
    }

    fn kill(&mut self, pid: u32) -> Result<()> {
        let index = self.children.iter().position(|child| child.id() == pid);
        let index = index.ok_or_else(|| breach("the leader is no child"))?;
        self.children[index].kill().map_err(system("kill a replica"))?;
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
        let output = child.wait_with_output().map_err(system("wait for a replica"))?;
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

fn signal(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(|| breach("no such process"))?;
    kill_process(pid, signal).map_err(|error| system("signal a replica")(error.into()))
}
