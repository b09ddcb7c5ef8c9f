//! Carries a release out.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{
    Activation, Error, ErrorKind, Expected, Id, Job, JobContext, JobReport, LeaseKeeper, LeaseStore as _,
    Result, StateLeases, StateStore,
};
use async_trait::async_trait;

use super::analysis::judge_all;
use super::book::Record;
use super::decision::LOOK_MAX;
use super::gauges::Gauges;
use super::state::shortened;
use super::{
    Analysis, CanaryView, PastRollout, Release, RolloutAction, RolloutBook, RolloutBuilder, RolloutDecision,
    RolloutIntent, RolloutPhase, RolloutPolicy, RolloutState, RolloutStep, RolloutTarget, TargetView,
    UnderWay, next_step,
};
use crate::Gate;
use crate::chore::first_closed;

/// The term of the lease on a rollout: after a crash another host goes on so much later.
const LEASE_TTL: Duration = Duration::from_secs(30);
/// Steps of one run that follow one another without a wait. A whole rollout has fewer.
const STEPS_MAX: u32 = 200;

/// Carries releases out on one target: checks, gates, canary steps, analysis, then the promotion or the way back.
///
/// What happens next is decided by [`next_step`] alone. Each change of the target is written down before it is made, under a
/// lease and by compare-and-set, so that any host goes on where a dead one stopped. A [`Job`] for a supervisor, and good to be
/// called by hand.
///
/// ```
/// use std::sync::Arc;
///
/// use alfred_ops_core::{JobContext, MemoryStateStore};
/// use alfred_ops_maintenance::{ClosureAnalysis, MemoryRolloutTarget, Release, Rollout, Verdict};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> alfred_ops_core::Result<()> {
/// let errors = ClosureAnalysis::new("errors", |canary| async move {
///     let _asked_of = (canary.candidate, canary.since);
///     Ok(Verdict::Pass)
/// });
/// let target = MemoryRolloutTarget::new("api-1", "registry/api:1");
/// let rollout = Rollout::builder("api", target, Arc::new(MemoryStateStore::default())).analysis(errors).build()?;
/// let context = JobContext::system();
/// rollout.begin(&context, Release::new("api-2", "registry/api:2")?).await?;
/// let waits = rollout.run(&context).await?; // Or give it to a supervisor.
/// assert!(waits.unwrap().reason.starts_with("step 1 of 4, 95 % to api-1, 5 % to api-2; 0 of 5 passes"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Rollout<T> {
    pub(super) name: String,
    pub(super) target: T,
    pub(super) store: Arc<dyn StateStore>,
    pub(super) policy: RolloutPolicy,
    pub(super) staging: Vec<Arc<dyn Gate>>,
    pub(super) gates: Vec<Arc<dyn Gate>>,
    pub(super) analyses: Vec<Arc<dyn Analysis>>,
    pub(super) gauges: Option<Gauges>,
}

/// Whether a run goes on.
enum Turn {
    Went,
    Waits(RolloutDecision),
}

impl<T: RolloutTarget> Rollout<T> {
    /// Rollouts called `name` on `target`, kept in `store`. Two with one name are one.
    #[must_use]
    pub fn builder(name: impl Into<String>, target: T, store: Arc<dyn StateStore>) -> RolloutBuilder<T> {
        RolloutBuilder::new(name.into(), target, store)
    }

    /// Where rollouts are paused, resumed and aborted, and where their history is.
    #[must_use]
    pub fn book(&self, context: &JobContext) -> RolloutBook {
        RolloutBook::new(Arc::clone(&self.store), &self.name, Arc::clone(&context.clock))
    }

    /// The target.
    #[must_use]
    pub const fn target(&self) -> &T {
        &self.target
    }

    /// Writes down that `release` goes out; [`run`](Self::run) does the rest. The target is looked at and not changed. The
    /// revision that has all traffic becomes the current one. Asked again for the release that is under way, it does nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if another rollout is under way, [`ErrorKind::InvalidInput`] if the target cannot have one now
    /// or not this one; the target's; the store's.
    pub async fn begin(&self, context: &JobContext, release: Release) -> Result<()> {
        let book = self.book(context);
        let (mut record, before) = book.load().await?;
        if let Some(running) = record.rollout.as_ref().filter(|running| !running.is_over()) {
            if running.release == release {
                return Ok(());
            }
            let fault = format!("{} is being rolled out", running.release.revision);
            return Err(Error::new(ErrorKind::Conflict, "begin rollout", fault)
                .with_target(&self.name)
                .with_remedy("wait for it, or abort it"));
        }
        self.target.check(&release)?;
        let view = self.target.observe().await?;
        let id = Id::new(context.now(), &*context.entropy).to_string();
        let state = RolloutState::begin(id, release, &view, context.now()).map_err(|fault| {
            Error::new(ErrorKind::InvalidInput, "begin rollout", fault)
                .with_target(&self.name)
                .with_remedy("give all traffic to one ready revision, and the release a new name")
        })?;
        record.current = Some(state.stable.clone());
        record.rollout = Some(state);
        book.save(&record, before, context.fence.clone()).await
    }

    /// The dry run: what would be done now, and why. Changes nothing and asks no gate. None if no rollout is under way.
    ///
    /// # Errors
    /// The target's; the store's.
    pub async fn explain(&self, context: &JobContext) -> Result<Option<RolloutDecision>> {
        match self.book(context).state().await?.filter(|state| !state.is_over()) {
            Some(state) => {
                let view = self.target.observe().await?;
                Ok(Some(next_step(&state, &view, &self.policy, context.now())))
            }
            None => Ok(None),
        }
    }

    /// Does what can be done now, and returns what it waits for; none if no rollout is under way or another host works on it.
    ///
    /// # Errors
    /// The target's, the store's: the next run looks at what became of the change, and goes on. `Fenced` if the lease was lost.
    #[tracing::instrument(skip_all, fields(rollout = self.name))]
    pub async fn run(&self, context: &JobContext) -> Result<Option<RolloutDecision>> {
        let book = self.book(context);
        if book.state().await?.is_none_or(|state| state.is_over()) {
            return Ok(None);
        }
        let id = Id::new(context.now(), &*context.entropy).to_string();
        let leases = Arc::new(StateLeases::new(Arc::clone(&self.store), Arc::clone(&context.clock)));
        let lease = format!("rollout/{}", self.name);
        let Some(grant) = leases.acquire(&lease, &id, LEASE_TTL).await? else { return Ok(None) };
        let keeper = LeaseKeeper::start(leases, grant, Arc::clone(&context.clock));
        let fenced = context.clone().with_fence(keeper.fence());
        let done = tokio::select! {
            done = self.work(&fenced, &book, &keeper) => done,
            () = keeper.lost().cancelled() => Err(lost()),
        };
        if let Err(error) = keeper.release().await {
            tracing::warn!(error = %error.full(), "the rollout is free when its lease runs out");
        }
        done
    }

    async fn work(
        &self,
        context: &JobContext,
        book: &RolloutBook,
        lease: &LeaseKeeper,
    ) -> Result<Option<RolloutDecision>> {
        for _ in 0..STEPS_MAX {
            context.check("roll out")?;
            let (record, before) = book.load().await?;
            let Some(state) = record.rollout.clone() else { return Ok(None) };
            if let Some(gauges) = &self.gauges {
                gauges.stands(&self.name, &state);
            }
            if state.is_over() {
                return Ok(None);
            }
            let desk = Desk { context, book, lease, record, before };
            match self.step(desk, state).await {
                Ok(Turn::Went) => {}
                Ok(Turn::Waits(decision)) => return Ok(Some(decision)),
                // Somebody changed the record or the target meanwhile: look again.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "roll out", "others keep changing it").with_target(&self.name))
    }

    async fn step(&self, mut desk: Desk<'_>, mut state: RolloutState) -> Result<Turn> {
        let view = self.target.observe().await?;
        let now = desk.context.now();
        if let Some(gauges) = &self.gauges {
            gauges.waits(&self.name, &state, &view, now);
        }
        if state.watch_way_back(&view, now) {
            desk.record.rollout = Some(state);
            desk.save().await?;
            return Ok(Turn::Went);
        }
        let decision = next_step(&state, &view, &self.policy, now);
        match &decision.step {
            RolloutStep::Wait { .. } | RolloutStep::Nothing => return Ok(Turn::Waits(decision)),
            RolloutStep::CheckStaging => {
                let limit = part(self.policy.gates_within, &self.staging);
                let fault = first_closed(&self.staging, &desk.context.clock, limit).await.map(named);
                state.learn_staging(fault, desk.context.now());
            }
            RolloutStep::AskGates => {
                let limit = part(self.policy.interval / 2, &self.gates);
                let fault = first_closed(&self.gates, &desk.context.clock, limit).await.map(named);
                state.learn_gates(fault, desk.context.now());
            }
            RolloutStep::Analyse => {
                let under_way = view.under_way.is_some();
                self.analyse(&mut state, under_way, desk.context).await;
            }
            RolloutStep::Change(action) => {
                return self.change(desk, state, action, view).await;
            }
            RolloutStep::Record => state.took(now),
            RolloutStep::Promote => {
                desk.record.current = Some(state.release.revision.clone());
                state.enter(RolloutPhase::Promoted, now);
            }
            RolloutStep::Pause => state.pause(&decision.reason, now),
            RolloutStep::RollBack => {
                let reason = shortened(&decision.reason);
                state.enter(RolloutPhase::RollingBack { reason }, now);
            }
            RolloutStep::End(end) => {
                state.enter(RolloutPhase::Ended(end.clone()), now);
                desk.record.remember(PastRollout {
                    id: state.id.clone(),
                    release: state.release.clone(),
                    started_at: state.started_at,
                    ended_at: now,
                    end: end.clone(),
                });
            }
        }
        desk.record.rollout = Some(state);
        desk.save().await?;
        tracing::info!(%decision, "rollout");
        if let (RolloutStep::End(end), Some(gauges)) = (&decision.step, &self.gauges) {
            gauges.ended(&self.name, end);
        }
        Ok(Turn::Went)
    }

    /// Writes the intent down, then changes the target. That it happened is recorded once it was seen.
    async fn change(
        &self,
        mut desk: Desk<'_>,
        mut state: RolloutState,
        action: &RolloutAction,
        view: TargetView,
    ) -> Result<Turn> {
        let version = view.version;
        let is_known =
            state.intent.as_ref().is_some_and(|intent| intent.action == *action && intent.version == version);
        if !is_known || view.under_way.is_some() {
            let now = desk.context.now();
            let mut intent = RolloutIntent::new(action.clone(), version.clone(), now);
            let rests = matches!(view.under_way, Some(UnderWay::Ends(_) | UnderWay::Waits(_)));
            intent.rested_at = rests.then_some(now);
            state.intend(intent);
            desk.record.rollout = Some(state.clone());
            desk.save().await?;
        }
        if !desk.lease.is_trusted() {
            return Err(lost());
        }
        tracing::info!(%action, version, "rollout");
        let done = match action {
            RolloutAction::Create => {
                self.target.create_candidate(&version, &state.stable, &state.release).await
            }
            RolloutAction::Shift { split, .. } | RolloutAction::Return { split } => {
                self.target.set_traffic(&version, split).await
            }
            RolloutAction::Retire { revision } => self.target.retire(&version, revision).await,
        };
        done.map(|()| Turn::Went)
    }

    async fn analyse(&self, state: &mut RolloutState, under_way: bool, context: &JobContext) {
        let canary = CanaryView::of(state);
        let mut limit = self.policy.interval / 2;
        if under_way {
            // The split is made again meanwhile, or what it holds up lapses.
            limit = limit.min(LOOK_MAX * 2);
        }
        let verdict = judge_all(&self.analyses, &canary, &context.clock, limit).await;
        if let Some(gauges) = &self.gauges {
            gauges.said(&self.name, &verdict);
        }
        state.learn_verdict(&verdict, context.now());
    }
}

/// One step's place in the book.
struct Desk<'a> {
    context: &'a JobContext,
    book: &'a RolloutBook,
    lease: &'a LeaseKeeper,
    record: Record,
    before: Expected,
}

impl Desk<'_> {
    async fn save(&self) -> Result<()> {
        self.book.save(&self.record, self.before, self.context.fence.clone()).await
    }
}

fn named((gate, reason): (String, String)) -> String {
    format!("{gate}: {reason}")
}

/// Each gate's part of the time, so that one that hangs does not hide what another says.
fn part(all: Duration, gates: &[Arc<dyn Gate>]) -> Duration {
    all / u32::try_from(gates.len()).unwrap_or(u32::MAX).max(1)
}

fn lost() -> Error {
    Error::new(ErrorKind::Fenced, "roll out", "the lease on the rollout was lost")
}

#[async_trait]
impl<T: RolloutTarget> Job for Rollout<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn activation(&self) -> Activation {
        Activation::Every(self.policy.interval.min(Duration::from_secs(5)))
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        let waits = Self::run(self, context).await?;
        Ok(JobReport::new(
            waits.map_or_else(|| "no rollout to work on".to_owned(), |waits| waits.to_string()),
        ))
    }
}
