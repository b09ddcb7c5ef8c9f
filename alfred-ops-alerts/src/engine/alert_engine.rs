//! Scrapes, evaluates, notifies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use alfred_ops_core::{Labels, Result, SharedClock};
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::dispatch::Dispatch;
use super::jobs::Jobs;
use super::keeper::Keeper;
use super::probe::Probe;
use super::{AlertEngineBuilder, EngineStatus, run};
use crate::alert::{Alert, AlertBook, RuleHealth, RuleReport, Transition};
use crate::evaluation::{Evaluation, GroupEvaluator};
use crate::explain::Explanation;
use crate::notify::{Ledger, NotifyPolicy, plan_notifications};
use crate::store::SampleStore;

/// How many targets are asked at once in one step: bounds sockets and pages in memory.
const SCRAPES_AT_ONCE_MAX: usize = 32;
/// How often samples that no rule can look back to are given up: it means looking at every series.
const EXPIRY_INTERVAL: TimeDelta = TimeDelta::seconds(15);

/// Scrapes targets, evaluates rules over what they say, and notifies sinks of what changes.
///
/// [`run`](Self::run) does all of it until it is told to stop. A test, a demonstration or a host with a loop
/// of its own drives it step by step instead: [`scrape_once`](Self::scrape_once),
/// [`evaluate_once`](Self::evaluate_once), [`deliver_once`](Self::deliver_once), or all three by
/// [`step`](Self::step). Clones are handles to one engine.
#[derive(Debug, Clone)]
pub struct AlertEngine {
    shared: Arc<Shared>,
}

/// What an engine is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) clock: SharedClock,
    pub(super) probes: Vec<Probe>,
    pub(super) jobs: Jobs,
    pub(super) groups: Vec<Group>,
    pub(super) store: RwLock<SampleStore>,
    pub(super) dispatches: Vec<Dispatch>,
    pub(super) policy: NotifyPolicy,
    pub(super) keeper: Option<Keeper>,
}

/// A group of rules and how often it is evaluated.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) interval: Duration,
    evaluator: Mutex<GroupEvaluator>,
}

#[derive(Debug)]
struct Shared {
    parts: Parts,
    desk: Mutex<Desk>,
}

/// What evaluations leave behind for the next one.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) ledger: Ledger,
    /// What has also arrived: what is saved, so that a restart loses no notification.
    pub(super) settled: Ledger,
    last_evaluation: Option<DateTime<Utc>>,
    last_expiry: Option<DateTime<Utc>>,
}

impl Group {
    pub(super) const fn new(interval: Duration, evaluator: GroupEvaluator) -> Self {
        Self { interval, evaluator: Mutex::new(evaluator) }
    }

    pub(super) fn evaluator(&self) -> MutexGuard<'_, GroupEvaluator> {
        self.evaluator.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AlertEngine {
    /// An engine without targets, rules and sinks, to be given some.
    #[must_use]
    pub fn builder() -> AlertEngineBuilder {
        AlertEngineBuilder::default()
    }

    pub(super) fn new(parts: Parts) -> Self {
        Self { shared: Arc::new(Shared { parts, desk: Mutex::default() }) }
    }

    /// Scrapes each target at its interval, evaluates the rules at theirs and delivers to each sink, until
    /// `cancel` is cancelled; then makes one last attempt for what waits and returns once every task has ended.
    ///
    /// Targets and sinks do not hold one another up. If the future is dropped, its tasks stop soon after.
    ///
    /// # Errors
    /// [`Internal`](alfred_ops_core::ErrorKind::Internal) if a source, a sink or the engine itself panicked: no
    /// alerts are better noticed than a part of them.
    pub async fn run(&self, cancel: CancellationToken) -> Result<()> {
        run::run(self, &cancel).await
    }

    /// Scrapes all targets, their samples being as of `now`.
    ///
    /// A target that fails shows in the [status](Self::status) and as `up` being 0.
    pub async fn scrape_once(&self, now: DateTime<Utc>) {
        let scrapes = futures::stream::iter(&self.parts().probes);
        let probes = scrapes.for_each_concurrent(SCRAPES_AT_ONCE_MAX, |probe| self.scrape(probe, now));
        futures::future::join(probes, self.parts().jobs.scrape_once(now, self.store())).await;
    }

    pub(super) async fn scrape(&self, probe: &Probe, now: DateTime<Utc>) {
        probe.scrape(now, &self.parts().clock, &self.parts().store).await;
    }

    /// Evaluates all groups at `now`, lets notifications of what changed wait for their delivery, and returns
    /// the changes with their reasons.
    pub fn evaluate_once(&self, now: DateTime<Utc>) -> Vec<Transition> {
        self.expire(now);
        let transitions: Vec<_> =
            self.parts().groups.iter().flat_map(|group| self.evaluate_rules(group, now)).collect();
        self.notify(now);
        self.note_change(!transitions.is_empty());
        transitions
    }

    /// Evaluates one group at `now`, and lets notifications of what changed wait for their delivery.
    pub(super) fn evaluate_group(&self, group: &Group, now: DateTime<Utc>) {
        self.expire(now);
        let transitions = self.evaluate_rules(group, now);
        self.notify(now);
        self.note_change(!transitions.is_empty());
    }

    fn expire(&self, now: DateTime<Utc>) {
        let due = {
            let mut desk = self.desk();
            let due = desk.last_expiry.is_none_or(|last| now - last >= EXPIRY_INTERVAL || now < last);
            if due {
                desk.last_expiry = Some(now);
            }
            due
        };
        if !due {
            return;
        }
        self.parts().store.write().unwrap_or_else(PoisonError::into_inner).expire(now);
    }

    fn evaluate_rules(&self, group: &Group, now: DateTime<Utc>) -> Vec<Transition> {
        let mut evaluator = group.evaluator();
        let before: Vec<RuleReport> = evaluator.reports().cloned().collect();
        let Evaluation { transitions, reports } = evaluator.evaluate(&self.parts().store, now);
        drop(evaluator);
        log_changes(&transitions, &before, &reports);
        transitions
    }

    fn notify(&self, now: DateTime<Utc>) {
        let book = self.book();
        let mut desk = self.desk();
        desk.last_evaluation = Some(now);
        for planned in plan_notifications(&book, &desk.ledger, &self.parts().policy, now) {
            desk.ledger.record(&planned);
            for dispatch in &self.parts().dispatches {
                dispatch.put(planned.notification.clone(), now);
            }
        }
    }

    fn book(&self) -> AlertBook {
        let mut book = AlertBook::default();
        for group in &self.parts().groups {
            group.evaluator().enter(&mut book);
        }
        book
    }

    /// Makes one attempt for every notification that is due at `now`.
    ///
    /// What fails and may be repeated waits for a later time; see [`SinkStatus`](super::SinkStatus).
    pub async fn deliver_once(&self, now: DateTime<Utc>) {
        let clock = &self.parts().clock;
        let deliveries = self.parts().dispatches.iter().map(|dispatch| dispatch.deliver_due(now, clock));
        futures::future::join_all(deliveries).await;
    }

    /// Scrapes, evaluates and delivers once, and returns what changed. Before it the state of the last run is
    /// [restored](Self::restore), after it the present one [saved](Self::save), if the engine keeps its state.
    pub async fn step(&self, now: DateTime<Utc>) -> Vec<Transition> {
        // Alerting goes on without its store; the status tells.
        drop(self.restore(now).await);
        self.scrape_once(now).await;
        let transitions = self.evaluate_once(now);
        self.deliver_once(now).await;
        drop(self.save(now).await);
        transitions
    }

    /// All alerts that are pending, firing or resolved not long ago.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        self.book().iter().cloned().collect()
    }

    /// Explains what the expressions of the rules named `name` come to at `now`, with examples of what agrees with the
    /// labels `about`; see [`explain`](crate::explain()). Nothing is evaluated for alerts, and the rules' query offsets
    /// are kept. Scrapes that end meanwhile wait for it.
    #[must_use]
    pub fn explain(&self, name: &str, about: &Labels, now: DateTime<Utc>) -> Vec<Explanation> {
        let store = self.store().read().unwrap_or_else(PoisonError::into_inner);
        let groups = self.parts().groups.iter();
        groups.flat_map(|group| group.evaluator().explain(name, about, &store, now)).collect()
    }

    /// How the engine fares: its targets, rules, sinks and store.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        let samples = self.parts().store.read().unwrap_or_else(PoisonError::into_inner).counters();
        let groups = self.parts().groups.iter();
        let rules =
            groups.flat_map(|group| group.evaluator().reports().cloned().collect::<Vec<_>>()).collect();
        let desk = self.desk();
        EngineStatus {
            targets: self
                .parts()
                .probes
                .iter()
                .map(Probe::status)
                .chain(self.parts().jobs.status())
                .collect(),
            rules,
            sinks: self.parts().dispatches.iter().map(Dispatch::status).collect(),
            state: self.parts().keeper.as_ref().map(Keeper::status),
            samples,
            last_evaluation: desk.last_evaluation,
        }
    }

    pub(super) fn store(&self) -> &RwLock<SampleStore> {
        &self.parts().store
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.shared.parts
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.shared.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_changes(transitions: &[Transition], before: &[RuleReport], now: &[RuleReport]) {
    for Transition { labels, from, to, reason, value, .. } in transitions {
        tracing::info!(%labels, %from, %to, %reason, value, "alert changed");
    }
    for (index, report) in now.iter().enumerate() {
        let failed_before =
            before.get(index).is_some_and(|before| matches!(before.health, RuleHealth::Failed(_)));
        if let RuleHealth::Failed(error) = &report.health
            && !failed_before
        {
            tracing::warn!(rule = report.rule, error = error.full(), "rule cannot be evaluated");
        }
    }
}
