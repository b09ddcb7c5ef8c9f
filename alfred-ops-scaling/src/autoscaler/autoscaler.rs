//! Reads, decides, obeys.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_ops_core::{
    Activation, Error, ErrorKind, Job, JobContext, JobReport, Metrics, Result, StateStore, Window,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Constraint;
use super::keeper::Keeper;
use super::meters::Meters;
use crate::{
    Ceiling, Current, Decision, DecisionRecord, Inputs, Policy, Scaler, ScheduledBounds, SignalSource,
    Signals, State,
};

/// An hour of decisions every 15 s.
const HISTORY_MAX: usize = 240;

/// Reads signals, lets the kernel decide, and has the scaler obey.
///
/// It keeps no number of its own: every tick reads the platform again, so that another writer, a lost
/// answer or a restart is noticed and does no harm.
#[derive(Debug)]
pub struct Autoscaler {
    scaler: Arc<dyn Scaler>,
    signals: Arc<dyn SignalSource>,
    policy: Policy,
    /// Bounds for certain times; the first that applies counts.
    schedule: Vec<(Window, ScheduledBounds)>,
    constraints: Vec<Arc<dyn Constraint>>,
    paused: AtomicBool,
    shadow: bool,
    /// Held for a whole tick.
    memory: tokio::sync::Mutex<Memory>,
    history: Mutex<VecDeque<DecisionRecord>>,
    meters: Option<Meters>,
    job_name: String,
}

/// What is remembered from tick to tick.
#[derive(Debug, Default)]
struct Memory {
    state: State,
    keeper: Option<Keeper>,
}

impl Autoscaler {
    /// An autoscaler that knows nothing yet.
    #[must_use]
    pub fn new(scaler: Arc<dyn Scaler>, signals: Arc<dyn SignalSource>, policy: Policy) -> Self {
        let service = scaler.name().rsplit('/').next().unwrap_or_default();
        let job_name = format!("autoscaler-{service}");
        Self {
            scaler,
            signals,
            policy,
            schedule: Vec::new(),
            constraints: Vec::new(),
            paused: AtomicBool::new(false),
            shadow: false,
            memory: tokio::sync::Mutex::default(),
            history: Mutex::default(),
            meters: None,
            job_name,
        }
    }

    /// Other bounds while `window` lasts, within the policy's: more for a campaign, fewer at night. Of several that apply the
    /// one that was given first counts.
    #[must_use]
    pub fn with_schedule(mut self, window: Window, bounds: ScheduledBounds) -> Self {
        self.schedule.push((window, bounds));
        self
    }

    /// Does not grow beyond what `constraint` bears; of several the tightest counts.
    #[must_use]
    pub fn with_constraint(mut self, constraint: Arc<dyn Constraint>) -> Self {
        self.constraints.push(constraint);
        self
    }

    /// Decides and records, and never acts: to compare a policy with what runs, before it is trusted.
    #[must_use]
    pub const fn in_shadow(mut self) -> Self {
        self.shadow = true;
        self
    }

    /// Keeps what the kernel remembers in the document `key` of `store`, every 15 s, so that a restart goes on where it was.
    /// Without it a restart begins with no past, which delays steps down and causes none. A store that fails holds no
    /// decision up.
    #[must_use]
    pub fn with_state(mut self, store: Arc<dyn StateStore>, key: impl Into<String>) -> Self {
        self.memory.get_mut().keeper = Some(Keeper::new(store, key.into()));
        self
    }

    /// Shows in `metrics` what is there, what is decided, and what fails: `alfred_ops_scaling_…`, with the scaler's name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if a name is taken by something else.
    pub fn with_metrics(mut self, metrics: &Metrics) -> Result<Self> {
        self.meters = Some(Meters::register(metrics)?);
        Ok(self)
    }

    /// Stops scaling, from the next tick on: whatever is there stays. It goes on deciding and recording.
    pub fn pause(&self) {
        self.paused.store(true, Ordering::Release);
    }

    /// Goes on scaling.
    pub fn resume(&self) {
        self.paused.store(false, Ordering::Release);
    }

    /// Whether scaling is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Reads, decides and obeys once. A second tick waits for the first.
    ///
    /// A source that fails counts as nothing known, which holds. After an error or a dropped future the next
    /// tick looks again: a change that did not happen is decided again, and one that did is not made twice.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a policy that makes no sense or reaches beyond the platform's limits;
    /// the scaler's.
    #[tracing::instrument(skip_all, fields(scaler = self.scaler.name()))]
    pub async fn tick(&self, context: &JobContext) -> Result<Decision> {
        let ticked = self.try_tick(context).await;
        if let (Err(_), Some(meters)) = (&ticked, &self.meters) {
            meters.note_failure(self.scaler.name());
        }
        ticked
    }

    async fn try_tick(&self, context: &JobContext) -> Result<Decision> {
        self.check()?;
        let mut memory = self.memory.lock().await;
        let Memory { state, keeper } = &mut *memory;
        if let Some(keeper) = keeper
            && let Some(kept) = keeper.load(context).await
        {
            *state = kept;
        }
        let current = self.scaler.current().await?;
        let now = context.now();
        let signals = self.signals.read(now).await.unwrap_or_else(|error| {
            tracing::warn!(error = error.full(), "no signals: holding");
            Signals::default()
        });
        let ceiling = self.ceiling(now).await;
        let inputs = self.inputs(&current, signals, ceiling, now);
        let record = DecisionRecord::decide(state, &inputs, &self.policy, now);
        let decision = record.decision;
        if let Some(meters) = &self.meters {
            meters.note(self.scaler.name(), &record);
        }
        self.remember(record);
        if decision.desired != current.configured {
            if self.shadow {
                tracing::info!(from = current.configured, to = decision.desired, %decision, "would scale");
            } else {
                // The state stays as it is after an error: what did not happen is decided again at the next look,
                // and what did happen shows there as a changed number.
                self.scaler.scale(decision.desired, &current.precondition).await?;
                tracing::info!(from = current.configured, to = decision.desired, %decision, "scaled");
            }
        }
        if let Some(keeper) = keeper {
            keeper.keep(state, context).await;
        }
        Ok(decision)
    }

    async fn ceiling(&self, now: DateTime<Utc>) -> Option<Ceiling> {
        let asked = self.constraints.iter().map(|constraint| constraint.ceiling(now));
        let known = futures::future::join_all(asked).await.into_iter().filter_map(|ceiling| {
            ceiling
                .inspect_err(|error| tracing::warn!(error = error.full(), "a constraint is not known"))
                .ok()
        });
        known.flatten().min_by_key(|ceiling| ceiling.max)
    }

    fn inputs(
        &self,
        current: &Current,
        signals: Signals,
        ceiling: Option<Ceiling>,
        now: DateTime<Utc>,
    ) -> Inputs {
        let Signals { queued, in_flight, arrivals, cpu, memory } = signals;
        let scheduled =
            self.schedule.iter().find(|(window, _)| window.contains(now)).map(|(_, bounds)| *bounds);
        let (instances, ready, paused) = (current.configured, current.running, self.is_paused());
        Inputs { instances, ready, queued, in_flight, arrivals, cpu, memory, scheduled, ceiling, paused }
    }

    /// Ticks as often as the [policy](Policy::period) asks until the context is cancelled, which also gives up a tick under
    /// way: the next start looks again. A tick that fails is logged and followed by the next.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`], [`ErrorKind::NotFound`], [`ErrorKind::Unsupported`] and
    /// [`ErrorKind::InvalidInput`]: a person must act.
    pub async fn run(&self, context: &JobContext) -> Result<()> {
        let period = self.policy.period();
        while let Some(outcome) = context.cancel.run_until_cancelled(self.tick(context)).await {
            match outcome {
                Ok(_) => {}
                Err(error) if hopeless(error.kind()) => return Err(error),
                Err(error) => tracing::warn!(error = error.full(), "tick failed"),
            }
            if context.cancel.run_until_cancelled(context.clock.sleep(period)).await.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// The last decision with all that it rests on, whether the platform obeyed or not.
    #[must_use]
    pub fn last(&self) -> Option<DecisionRecord> {
        self.lock_history().back().cloned()
    }

    /// The last 240 decisions, oldest first: an hour if one is taken every 15 s.
    #[must_use]
    pub fn history(&self) -> Vec<DecisionRecord> {
        self.lock_history().iter().cloned().collect()
    }

    /// Finds out at the first tick, and not when it is needed, what the platform would refuse.
    fn check(&self) -> Result<()> {
        self.policy.check()?;
        for (_, ScheduledBounds { min, max }) in &self.schedule {
            if min > max {
                let what = format!("a scheduled min: {min} exceeds its max: {max}");
                return Err(Error::new(ErrorKind::InvalidInput, "check scaling schedule", what));
            }
        }
        let (limits, name) = (self.scaler.limits(), self.scaler.name());
        limits.check(name, self.policy.min)?;
        limits.check(name, self.policy.max)
    }

    fn remember(&self, record: DecisionRecord) {
        let mut history = self.lock_history();
        if history.len() >= HISTORY_MAX {
            history.pop_front();
        }
        history.push_back(record);
    }

    fn lock_history(&self) -> MutexGuard<'_, VecDeque<DecisionRecord>> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A service of a supervisor, named `autoscaler-SERVICE`.
#[async_trait]
impl Job for Autoscaler {
    fn name(&self) -> &str {
        &self.job_name
    }

    fn activation(&self) -> Activation {
        Activation::Service
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        Autoscaler::run(self, context).await?;
        Ok(JobReport::default())
    }
}

fn hopeless(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::PermissionDenied | ErrorKind::NotFound | ErrorKind::Unsupported | ErrorKind::InvalidInput
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use alfred_ops_core::{MemoryStateStore, Retry, SimulatedClock};
    use chrono::DateTime;

    use super::*;
    use crate::scaler::MockScaler;
    use crate::{
        Basis, Bound, Current, Limits, MemoryScaler, Outcome, Precondition, Restart, Rules, RulesBasis,
        Workload,
    };
    use crate::{MockConstraint, MockSignalSource, Resource};

    /// As often as the brief's rules look.
    const PERIOD: Duration = Duration::from_secs(15);

    fn loaded(queued: f64, cpu: f64) -> Arc<Workload> {
        let workload = Workload::new();
        workload.set_queued(queued);
        workload.set_in_flight(0.0);
        workload.set_usage(cpu, 0.5);
        Arc::new(workload)
    }

    fn simulated() -> (SimulatedClock, JobContext) {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let context = JobContext::system().with_clock(clock.shared());
        (clock, context)
    }

    fn agents(max: u32) -> MockScaler {
        let mut scaler = MockScaler::new();
        scaler.expect_name().return_const("agents".to_owned());
        scaler.expect_limits().returning(move || Limits { min: 0, max });
        scaler
    }

    fn current(configured: u32, token: &str) -> Current {
        Current { configured, running: None, precondition: Precondition::new(token) }
    }

    #[tokio::test]
    async fn a_conflict_is_followed_by_another_look_and_the_same_step() {
        let mut scaler = agents(20);
        let mut reads = 0;
        scaler.expect_current().times(2).returning(move || {
            reads += 1;
            Ok(current(0, &reads.to_string()))
        });
        scaler
            .expect_scale()
            .withf(|target, precondition| *target == 1 && precondition.token() == "1")
            .times(1)
            .returning(|_, _| Err(Error::new(ErrorKind::Conflict, "scale", "changed meanwhile")));
        scaler
            .expect_scale()
            .withf(|target, precondition| *target == 1 && precondition.token() == "2")
            .times(1)
            .returning(|configured, _| Ok(Outcome { configured, precondition: Precondition::new("3") }));
        let autoscaler = Autoscaler::new(Arc::new(scaler), loaded(10.0, 0.5), Policy::default());
        let context = JobContext::system();
        assert_eq!(autoscaler.tick(&context).await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(autoscaler.tick(&context).await.unwrap().desired, 1);
    }

    /// The scaler answers late each time; whether the change was made is up to `happens`.
    async fn steps_after_late_answers(happens: bool) -> Vec<u32> {
        let steps = Arc::new(Mutex::new(vec![4]));
        let (read, written) = (Arc::clone(&steps), Arc::clone(&steps));
        let mut scaler = agents(20);
        scaler.expect_current().returning(move || {
            let steps = read.lock().unwrap();
            let present = if happens { steps[steps.len() - 1] } else { steps[0] };
            Ok(current(present, "any"))
        });
        scaler.expect_scale().returning(move |target, _| {
            written.lock().unwrap().push(target);
            Err(Error::new(ErrorKind::Timeout, "scale", "no answer in time"))
        });
        let autoscaler = Autoscaler::new(Arc::new(scaler), loaded(0.0, 0.9), Policy::default());
        let (clock, context) = simulated();
        for _ in 0..=10 {
            if let Err(error) = autoscaler.tick(&context).await {
                assert_eq!(error.retry(), Retry::Unknown);
            }
            clock.advance(PERIOD);
        }
        if happens {
            let restarted = |record: &DecisionRecord| match record.decision.basis {
                Basis::Rules(RulesBasis { restarted, .. }) => restarted,
                _ => None,
            };
            let expected = Some(Restart::Changed { from: 4 });
            assert!(autoscaler.history().iter().any(|record| restarted(record) == expected));
        }
        let steps = steps.lock().unwrap();
        steps.clone()
    }

    #[tokio::test]
    async fn an_unknown_outcome_is_looked_up_and_never_doubled() {
        assert_eq!(steps_after_late_answers(true).await, [4, 6], "it had happened, and gets its time");
        assert_eq!(steps_after_late_answers(false).await, [4, 6, 6, 6], "it had not, and is made again");
    }

    #[tokio::test]
    async fn an_outage_of_the_platform_loses_no_evidence() {
        let mut scaler = agents(20);
        scaler.expect_current().returning(|| Ok(current(4, "any")));
        let attempts = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&attempts);
        scaler.expect_scale().returning(move |_, _| {
            *counted.lock().unwrap() += 1;
            Err(Error::new(ErrorKind::Unavailable, "scale", "overloaded"))
        });
        let autoscaler = Autoscaler::new(Arc::new(scaler), loaded(0.0, 0.9), Policy::default());
        let (clock, context) = simulated();
        for _ in 0..4 * 5 {
            let _ = autoscaler.tick(&context).await;
            clock.advance(PERIOD);
        }
        assert_eq!(*attempts.lock().unwrap(), 12, "at every look from minute 2 to minute 5");
    }

    #[tokio::test]
    async fn without_signals_nothing_changes_and_the_reason_is_on_record() {
        let scaler = Arc::new(MemoryScaler::new("agents", 7));
        let mut signals = MockSignalSource::new();
        signals.expect_read().returning(|_| Err(Error::new(ErrorKind::Unavailable, "read signals", "down")));
        let autoscaler =
            Autoscaler::new(Arc::<MemoryScaler>::clone(&scaler), Arc::new(signals), Policy::default());
        assert_eq!(autoscaler.last(), None);
        let decision = autoscaler.tick(&JobContext::system()).await.unwrap();
        assert_eq!(decision.to_string(), "7 instances: held, since cpu cannot be believed");
        assert_eq!(scaler.current().await.unwrap().configured, 7);
        assert_eq!(autoscaler.last().unwrap().replay(), decision);
    }

    #[tokio::test]
    async fn a_policy_that_makes_no_sense_is_refused_before_anything_is_read() {
        let policy = Policy::new(Rules { target: f64::NAN, ..Rules::default() });
        let autoscaler = Autoscaler::new(Arc::new(agents(20)), loaded(1.0, 0.5), policy);
        let error = autoscaler.run(&JobContext::system()).await.unwrap_err();
        assert!(error.to_string().contains("target: NaN"), "{error}");

        let autoscaler = Autoscaler::new(Arc::new(agents(10)), loaded(1.0, 0.5), Policy::default());
        let error = autoscaler.run(&JobContext::system()).await.unwrap_err();
        assert!(error.to_string().contains("20 instances are not within 0 and 10"), "{error}");
    }

    #[tokio::test]
    async fn the_loop_ticks_every_15_seconds_keeps_an_hour_and_ends_when_told() {
        let autoscaler =
            Autoscaler::new(Arc::new(MemoryScaler::new("agents", 2)), loaded(1.0, 0.5), Policy::default());
        let (clock, context) = simulated();
        let drive = async {
            for _ in 0..300 {
                while clock.sleepers() == 0 {
                    tokio::task::yield_now().await;
                }
                clock.advance(PERIOD);
            }
            while clock.sleepers() == 0 {
                tokio::task::yield_now().await;
            }
            context.cancel.cancel();
        };
        let (ended, ()) = tokio::join!(autoscaler.run(&context), drive);
        ended.unwrap();
        let history = autoscaler.history();
        assert_eq!(history.len(), HISTORY_MAX);
        assert!(history.windows(2).all(|pair| (pair[1].now - pair[0].now).to_std() == Ok(PERIOD)));
        assert_eq!(autoscaler.last().unwrap().now, context.now());
    }

    #[tokio::test]
    async fn cancelling_gives_up_a_tick_under_way() {
        #[derive(Debug)]
        struct Hanging(JobContext);

        #[async_trait::async_trait]
        impl SignalSource for Hanging {
            async fn read(&self, _now: DateTime<chrono::Utc>) -> Result<Signals> {
                self.0.cancel.cancel();
                std::future::pending().await
            }
        }

        let context = JobContext::system();
        let hanging = Arc::new(Hanging(context.clone()));
        let autoscaler =
            Autoscaler::new(Arc::new(MemoryScaler::new("agents", 2)), hanging, Policy::default());
        autoscaler.run(&context).await.unwrap();
        assert_eq!(autoscaler.last(), None);
    }
    #[tokio::test]
    async fn in_shadow_it_decides_and_never_acts() {
        let scaler = Arc::new(MemoryScaler::new("agents", 0));
        let shared = Arc::<MemoryScaler>::clone(&scaler);
        let autoscaler = Autoscaler::new(shared, loaded(10.0, 0.5), Policy::default()).in_shadow();
        let context = JobContext::system();
        for _ in 0..3 {
            assert_eq!(autoscaler.tick(&context).await.unwrap().desired, 1);
        }
        assert_eq!(scaler.current().await.unwrap().configured, 0);
        assert!(autoscaler.last().unwrap().explain().starts_with("1 instance: work waits and nothing runs"));
    }

    #[tokio::test]
    async fn a_pause_holds_and_a_window_has_bounds_of_its_own() {
        let night =
            Window::new(vec![], chrono::NaiveTime::MIN, Duration::from_secs(6 * 3600), chrono_tz::UTC);
        let bounds = ScheduledBounds { min: 3, max: 5 };
        let scaler = Arc::new(MemoryScaler::new("agents", 1));
        let autoscaler = Autoscaler::new(scaler, loaded(0.0, 0.5), Policy::default())
            .with_schedule(night.unwrap(), bounds);
        let (clock, context) = simulated();
        autoscaler.pause();
        assert_eq!(autoscaler.tick(&context).await.unwrap().bound, Some(Bound::Paused));
        autoscaler.resume();
        let decision = autoscaler.tick(&context).await.unwrap();
        assert_eq!((decision.desired, decision.bound), (3, Some(Bound::Schedule)));
        clock.advance(Duration::from_secs(7 * 3600));
        assert_eq!(autoscaler.tick(&context).await.unwrap().bound, None, "the night is over");
    }

    #[tokio::test]
    async fn a_restart_goes_on_where_it_was() {
        let store = Arc::new(MemoryStateStore::default());
        let scaler = Arc::new(MemoryScaler::new("agents", 4));
        let (clock, context) = simulated();
        let start = || {
            let (scaler, store) =
                (Arc::<MemoryScaler>::clone(&scaler), Arc::<MemoryStateStore>::clone(&store));
            Autoscaler::new(scaler, loaded(0.0, 0.9), Policy::default()).with_state(store, "scaling/agents")
        };
        let first = start();
        for _ in 0..6 {
            assert_eq!(first.tick(&context).await.unwrap().desired, 4);
            clock.advance(PERIOD);
        }
        drop(first);
        let second = start();
        let mut desired = Vec::new();
        for _ in 0..3 {
            desired.push(second.tick(&context).await.unwrap().desired);
            clock.advance(PERIOD);
        }
        assert_eq!(desired, [4, 4, 6], "two minutes since the first look");
    }

    #[tokio::test]
    async fn what_it_does_shows_in_metrics() {
        let metrics = Metrics::new();
        let scaler = Arc::new(MemoryScaler::new("agents", 0));
        let autoscaler =
            Autoscaler::new(scaler, loaded(10.0, 0.5), Policy::default()).with_metrics(&metrics).unwrap();
        autoscaler.tick(&JobContext::system()).await.unwrap();
        let page = metrics.render();
        assert!(page.contains("alfred_ops_scaling_desired_instances{scaler=\"agents\"} 1"), "{page}");
        assert!(
            page.contains("alfred_ops_scaling_decisions_total{scaler=\"agents\",change=\"up\"} 1"),
            "{page}"
        );
    }

    #[tokio::test]
    async fn the_tightest_constraint_that_is_known_counts() {
        let bears = |max: Option<u32>| {
            let mut constraint = MockConstraint::new();
            constraint.expect_ceiling().returning(move |_| match max {
                Some(max) => Ok(Some(Ceiling { max, resource: Resource::Qdrant })),
                None => Err(Error::new(ErrorKind::Unavailable, "look", "away")),
            });
            Arc::new(constraint)
        };
        let scaler = Arc::new(MemoryScaler::new("agents", 4));
        let policy = Policy::new(crate::TargetTracking::new(0.1));
        let autoscaler = Autoscaler::new(scaler, loaded(0.0, 0.5), policy)
            .with_constraint(bears(Some(9)))
            .with_constraint(bears(None))
            .with_constraint(Arc::new(crate::ConnectionBudget::new(70, 10).with_pool(10, 20)));
        let decision = autoscaler.tick(&JobContext::system()).await.unwrap();
        assert_eq!((decision.desired, decision.bound), (6, Some(Bound::Ceiling(Resource::Connections))));
    }
}
