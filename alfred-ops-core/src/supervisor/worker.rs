//! The life of one job during one term of leadership.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info_span, warn};

use super::ledger::Ledger;
use super::retry;
use super::slot::JobSlot;
use crate::job::{Attempt, Due, Wanted, due};
use crate::{
    Activation, Entropy, Error, ErrorKind, Fence, Id, JobContext, JobReport, Outcome, Progress, Result,
    Retry, SharedClock, Status, TaskSet,
};

/// The wall clock may jump while a job waits for its slot: look again at least so often.
const LOOK_AT_LEAST: Duration = Duration::from_secs(60);
/// How long a run may take to stop after its time limit.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// From so many failures in a row on, a job counts as not working.
const UNHEALTHY_FROM: u32 = 3;

/// One job during one term.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) slot: Arc<JobSlot>,
    pub(super) ledger: Ledger,
    pub(super) clock: SharedClock,
    pub(super) entropy: Arc<dyn Entropy>,
    /// Stop at the next safe point.
    pub(super) cancel: CancellationToken,
    /// Stop where you are.
    pub(super) kill: CancellationToken,
    /// Cancelled by the worker that learns that the term is over.
    pub(super) fenced: CancellationToken,
}

/// How a run ended.
struct End {
    outcome: Outcome,
    summary: String,
    error: Option<Error>,
}

impl Worker {
    pub(super) async fn run(self) {
        // Runs are tasks of their own, so that a panic ends one run and not the job.
        let runs = TaskSet::new(&self.kill);
        tokio::select! {
            biased;
            () = self.kill.cancelled() => {}
            () = self.work(&runs) => {}
        }
        runs.join().await;
        self.slot.set_running(None);
        self.slot.health.idle();
    }

    async fn work(&self, runs: &TaskSet) {
        let mut woken = false;
        let mut troubles = 0;
        while !self.cancel.is_cancelled() {
            let wait = match self.step(runs, woken).await {
                Ok(None) => {
                    (woken, troubles) = (false, 0);
                    continue;
                }
                Ok(Some(wait)) => {
                    troubles = 0;
                    wait
                }
                Err(error) if error.kind() == ErrorKind::Fenced => {
                    warn!(job = self.slot.name, error = %error.full(), "this replica no longer leads");
                    self.fenced.cancel();
                    return;
                }
                Err(error) => {
                    troubles += 1;
                    warn!(job = self.slot.name, error = %error.full(), "the job's state is out of reach");
                    self.slot.health.report(Status::degraded(error.to_string()));
                    retry::pause(troubles)
                }
            };
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => {}
                () = self.slot.wake.notified() => woken = true,
                () = self.clock.sleep(wait) => {}
            }
        }
    }

    /// Runs the job if it is due; else tells how long to wait.
    async fn step(&self, runs: &TaskSet, woken: bool) -> Result<Option<Duration>> {
        let (mut state, expected) = self.ledger.load().await?;
        let now = self.clock.now();
        let abandoned = state.running.take();
        let changed = abandoned.is_some() || expected == crate::Expected::Absent;
        if let Some(attempt) = abandoned {
            // Only one replica leads: whoever began this run is gone, or will find its writes refused.
            let record = attempt.ended(now, Outcome::Abandoned, "", None);
            self.slot.meters.runs.with(&[&self.slot.name, record.outcome.name()]).inc();
            state.settle(record, None, self.slot.options.history_max);
        }
        let wanted = match due(&state, &self.slot.policy, now, woken) {
            Due::Run(wanted) => wanted,
            Due::Wait(until) => {
                if changed {
                    self.ledger.save(&state, expected).await?;
                }
                return Ok(Some(wait_for(until, now)));
            }
        };
        let attempt = self.attempt(wanted, now);
        state.running = Some(attempt.clone());
        let failures = state.failures;
        self.ledger.save(&state, expected).await?;
        let end = self.execute(runs).await;
        self.record(attempt, end, failures).await?;
        Ok(None)
    }

    fn attempt(&self, wanted: Wanted, now: DateTime<Utc>) -> Attempt {
        Attempt {
            id: Id::new(now, self.entropy.as_ref()).to_string(),
            slot: wanted.slot,
            trigger: wanted.trigger,
            skipped: wanted.skipped,
            started_at: now,
            epoch: self.ledger.fence.as_ref().map(|fence| fence.epoch),
        }
    }

    async fn execute(&self, runs: &TaskSet) -> End {
        let progress = Progress::new();
        self.slot.set_running(Some(progress.clone()));
        let began = self.clock.monotonic();
        let context = JobContext {
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            cancel: self.cancel.child_token(),
            progress,
            fence: self.ledger.fence.clone(),
        };
        let span = info_span!("job", name = self.slot.name, epoch = epoch_of(context.fence.as_ref()));
        let run = run_once(Arc::clone(&self.slot), context, self.kill.clone()).instrument(span);
        let result = runs.spawn(run).await.and_then(|result| result);
        self.slot.set_running(None);
        let seconds = self.clock.monotonic().saturating_sub(began);
        self.slot.meters.seconds.with(&[&self.slot.name]).observe(seconds);
        match result {
            Ok(report) => End { outcome: Outcome::Succeeded, summary: report.summary, error: None },
            Err(error) => {
                let stopped = error.kind() == ErrorKind::Cancelled && self.cancel.is_cancelled();
                let outcome = if stopped { Outcome::Cancelled } else { Outcome::Failed };
                End { outcome, summary: String::new(), error: Some(error) }
            }
        }
    }

    /// Records the end of a run, trying again while the store is away: what was done must not be forgotten.
    async fn record(&self, attempt: Attempt, end: End, failures: u32) -> Result<()> {
        let now = self.clock.now();
        let (failures_before, retry_at) = self.next(&attempt, &end, failures, now);
        let text = end.error.as_ref().map(Error::full);
        let record = attempt.clone().ended(now, end.outcome, &end.summary, text);
        let mut troubles = 0;
        loop {
            match self.ledger.settle(&attempt, &record, failures_before, retry_at).await {
                Ok(()) => break,
                Err(error) if error.retry() == Retry::Never => return Err(error),
                Err(error) => {
                    troubles += 1;
                    warn!(job = self.slot.name, error = %error.full(), "the run's end is not recorded yet");
                    self.clock.sleep(retry::pause(troubles)).await;
                }
            }
        }
        self.slot.meters.runs.with(&[&self.slot.name, end.outcome.name()]).inc();
        self.slot.meters.skipped.with(&[&self.slot.name]).inc_by(attempt.skipped);
        self.report(&end, failures_before);
        Ok(())
    }

    fn next(
        &self,
        attempt: &Attempt,
        end: &End,
        failures: u32,
        now: DateTime<Utc>,
    ) -> (u32, Option<DateTime<Utc>>) {
        if matches!(self.slot.policy.activation, Activation::Service) {
            let ran = now - attempt.started_at;
            let (before, at) = retry::restart_at(end.outcome, ran, failures, now);
            // A service that ends because it was asked to starts at once under the next leader.
            return (before, Some(at).filter(|_| !self.cancel.is_cancelled()));
        }
        let retry = end.error.as_ref().map_or(Retry::Never, Error::retry);
        (failures, retry::retry_at(retry, failures.saturating_add(1), now))
    }

    fn report(&self, end: &End, failures_before: u32) {
        match (&end.outcome, &end.error) {
            (Outcome::Failed, Some(error)) => {
                warn!(job = self.slot.name, error = %error.full(), "the job failed");
                let failures = failures_before.saturating_add(1);
                let reason = format!("{failures} failures in a row, the last: {error}");
                let status = if failures < UNHEALTHY_FROM { Status::degraded } else { Status::unhealthy };
                self.slot.health.report(status(reason));
            }
            (Outcome::Succeeded, _) => self.slot.health.report(Status::Healthy),
            _ => {}
        }
    }
}

fn epoch_of(fence: Option<&Fence>) -> u64 {
    fence.map_or(0, |fence| fence.epoch)
}

fn wait_for(until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Duration {
    until.map_or(LOOK_AT_LEAST, |until| (until - now).to_std().unwrap_or_default().min(LOOK_AT_LEAST))
}

/// One run, within its time limit, dropped where it is when killed.
async fn run_once(slot: Arc<JobSlot>, context: JobContext, kill: CancellationToken) -> Result<JobReport> {
    let limit = async {
        match slot.options.time_limit {
            Some(limit) => context.clock.sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    let killed = || Error::new(ErrorKind::Cancelled, "run job", "it did not stop in time");
    let mut run = slot.job.run(&context);
    tokio::select! {
        biased;
        () = kill.cancelled() => return Err(killed()),
        result = &mut run => return result,
        () = limit => context.cancel.cancel(),
    }
    tokio::select! {
        biased;
        () = kill.cancelled() => return Err(killed()),
        // Work that was completed in the last moment is complete.
        result = &mut run => if result.is_ok() { return result },
        () = context.clock.sleep(STOP_GRACE) => {}
    }
    let fault =
        format!("it ran for longer than its limit of {:?}", slot.options.time_limit.unwrap_or_default());
    Err(Error::new(ErrorKind::Timeout, "run job", fault).with_target(slot.name.clone()))
}
