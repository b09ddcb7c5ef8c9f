//! Runs a chore.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{
    Activation, Error, ErrorKind, HealthReporter, Id, Job, JobContext, JobReport, LeaseKeeper,
    LeaseStore as _, ProgressUnit, Result, StateLeases, StateStore,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::gate::{GATE_LIMIT, first_closed};
use super::gauges::Gauges;
use super::state::Attempt;
use super::turn::Watch;
use super::{
    Budget, Cadence, CaretakerBuilder, Chore, ChoreBook, ChoreOutcome, ChorePlan as _, ChoreRecord, ChoreRun,
    ChoreStanding, Figures, Gate, Refusal, Stop, Turn,
};

/// The term of the lease on a target: after a crash another run may begin so much later.
const LEASE_TTL: Duration = Duration::from_secs(30);

/// Runs a chore: when it is due, its gates are open and nobody else works on its target, within its budget, and keeps
/// its history. A [`Job`] for a supervisor, and good to be called by hand.
#[derive(Debug)]
pub struct Caretaker<C> {
    pub(super) chore: C,
    pub(super) store: Arc<dyn StateStore>,
    pub(super) cadence: Cadence,
    pub(super) budget: Budget,
    pub(super) gates: Vec<Arc<dyn Gate>>,
    pub(super) gauges: Option<Gauges>,
    pub(super) health: Option<HealthReporter>,
}

impl<C: Chore> Caretaker<C> {
    /// A caretaker of `chore` that keeps its leases and its history in `store`.
    #[must_use]
    pub fn builder(chore: C, store: Arc<dyn StateStore>) -> CaretakerBuilder<C> {
        CaretakerBuilder::new(chore, store)
    }

    /// The chore.
    #[must_use]
    pub const fn chore(&self) -> &C {
        &self.chore
    }

    /// Where the chore is paused, resumed and aborted, and where its history is.
    #[must_use]
    pub fn book(&self, context: &JobContext) -> ChoreBook {
        ChoreBook::new(Arc::clone(&self.store), self.chore.name(), Arc::clone(&context.clock))
    }

    /// How it stands with the chore now.
    ///
    /// # Errors
    /// The store's.
    pub async fn standing(&self, context: &JobContext) -> Result<ChoreStanding> {
        self.book(context).standing(&self.cadence).await
    }

    /// The dry run: what would be done now. Changes nothing and asks no gate.
    ///
    /// # Errors
    /// The chore's.
    pub async fn plan(&self, context: &JobContext) -> Result<C::Plan> {
        let facts = self.chore.inspect(context).await?;
        Ok(self.chore.plan(&facts, context.now()))
    }

    /// Runs the chore now, due or not, unless it is paused, a gate is closed or its target is taken.
    ///
    /// # Errors
    /// The chore's, which is in the history too; the store's. What was done by then stays done.
    #[tracing::instrument(skip_all, fields(chore = self.chore.name()))]
    pub async fn run(&self, context: &JobContext) -> Result<ChoreRun> {
        let book = self.book(context);
        if let Some(pause) = book.state().await?.paused {
            return Ok(ChoreRun::NotNow(Refusal::Paused { since: pause.since, reason: pause.reason }));
        }
        if let Some((gate, reason)) = first_closed(&self.gates, &context.clock, GATE_LIMIT).await {
            return Ok(ChoreRun::NotNow(Refusal::Gate { gate, reason }));
        }
        let id = Id::new(context.now(), &*context.entropy).to_string();
        let leases = Arc::new(StateLeases::new(Arc::clone(&self.store), Arc::clone(&context.clock)));
        let lease = format!("chore-target/{}", self.chore.target());
        let Some(grant) = leases.acquire(&lease, &id, LEASE_TTL).await? else {
            return Ok(ChoreRun::NotNow(Refusal::Busy));
        };
        let attempt = Attempt { id, started_at: context.now(), epoch: grant.epoch };
        let keeper = LeaseKeeper::start(leases, grant, Arc::clone(&context.clock));
        let ran = self.run_under(&keeper, &attempt, &book, context).await;
        if let Err(error) = keeper.release().await {
            tracing::warn!(error = %error.full(), "the target is released when its lease runs out");
        }
        ran.map(ChoreRun::Ran)
    }

    async fn run_under(
        &self,
        lease: &LeaseKeeper,
        attempt: &Attempt,
        book: &ChoreBook,
        context: &JobContext,
    ) -> Result<ChoreRecord> {
        let before = book.state().await?.history.pop_back();
        let cut_off = before.map_or_else(Vec::new, |record| record.figures.cut_off);
        book.begin(attempt, lease.fence()).await?;
        let context = context.clone().with_fence(lease.fence());
        let watch = Watch { id: &attempt.id, book, gates: &self.gates, lease, cut_off: &cut_off };
        let mut turn = Turn::new(&context, self.budget, watch);
        let mut plan = String::new();
        // A step on a system that knows no fence is given up where it is: steps may be left in the middle.
        let done = tokio::select! {
            done = self.work(&mut turn, &mut plan, attempt.started_at) => done,
            () = lease.lost().cancelled() => {
                Err(Error::new(ErrorKind::Fenced, "run chore", "the lease on the target was lost"))
            }
        };
        let (figures, stop) = turn.into_parts();
        let outcome = match (&done, stop) {
            (Err(error), _) => ChoreOutcome::failed(&error.full()),
            (Ok(_), Some(stop)) => ChoreOutcome::Stopped(stop),
            (Ok(outcome), None) => outcome.clone(),
        };
        let record = attempt.ended(context.now(), &plan, outcome, figures);
        self.tell(&record);
        book.end(&record, lease.fence()).await?;
        done.map(|_| record)
    }

    /// Looks, plans, works, and looks again.
    async fn work(&self, turn: &mut Turn<'_>, text: &mut String, now: DateTime<Utc>) -> Result<ChoreOutcome> {
        let context = turn.context();
        let facts = self.chore.inspect(context).await?;
        let plan = self.chore.plan(&facts, now);
        *text = plan.to_string();
        if plan.is_empty() {
            return Ok(effect(&plan.obstacles(), None));
        }
        context.progress.begin(self.chore.name().to_owned(), None, ProgressUnit::Items);
        self.chore.apply(&plan, turn).await?;
        if !turn.may_go_on().await {
            return Ok(ChoreOutcome::Finished);
        }
        // By the same time: what has become due meanwhile is the next run's.
        let facts = self.chore.inspect(context).await?;
        let left = self.chore.plan(&facts, now);
        Ok(effect(&left.obstacles(), (!left.is_empty()).then(|| left.to_string())))
    }

    fn tell(&self, record: &ChoreRecord) {
        let Figures { work, steps, longest_lock, .. } = &record.figures;
        tracing::info!(outcome = %record.outcome, work, steps, ?longest_lock, "chore done");
        if let Some(gauges) = &self.gauges {
            gauges.ran(self.chore.name(), record);
        }
    }

    /// Shows how it stands.
    async fn show(&self, context: &JobContext) -> Result<ChoreStanding> {
        let standing = self.standing(context).await?;
        if let Some(gauges) = &self.gauges {
            gauges.stands(self.chore.name(), &standing);
        }
        if let Some(health) = &self.health {
            health.report(standing.status());
        }
        Ok(standing)
    }
}

fn effect(obstacles: &[String], left: Option<String>) -> ChoreOutcome {
    let reasons: Vec<String> = obstacles.iter().cloned().chain(left).collect();
    if reasons.is_empty() { ChoreOutcome::Finished } else { ChoreOutcome::ineffective(&reasons.join("; ")) }
}

/// A job that looks often and works when the chore is due.
#[async_trait]
impl<C: Chore> Job for Caretaker<C> {
    fn name(&self) -> &str {
        self.chore.name()
    }

    fn activation(&self) -> Activation {
        Activation::Every(self.cadence.look)
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        self.book(context).enrol().await?;
        let standing = self.show(context).await?;
        if context.now() < standing.due_at {
            return Ok(JobReport::new(ChoreRun::NotNow(Refusal::NotDue(standing.due_at)).to_string()));
        }
        let ran = Self::run(self, context).await;
        self.show(context).await?;
        let ran = ran?;
        if let ChoreRun::Ran(ChoreRecord { outcome: ChoreOutcome::Stopped(Stop::Cancelled), .. }) = &ran {
            context.check("run chore")?;
        }
        Ok(JobReport::new(ran.to_string()))
    }
}
