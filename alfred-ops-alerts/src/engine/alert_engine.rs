//! Scrapes, evaluates, notifies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use alfred_ops_core::{Result, SharedClock};
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::dispatch::Dispatch;
use super::probe::Probe;
use super::{AlertEngineBuilder, EngineStatus, run};
use crate::alert::{Alert, AlertBook, Evaluation, RuleHealth, RuleReport, Transition, evaluate};
use crate::notify::{Ledger, NotifyPolicy, plan_notifications};
use crate::rule::RuleSet;
use crate::store::{SampleStore, StoreLimits};

/// How many targets are asked at once in one step: bounds sockets and pages in memory.
const SCRAPES_AT_ONCE_MAX: usize = 32;

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
    pub(super) rules: RuleSet,
    pub(super) limits: StoreLimits,
    pub(super) dispatches: Vec<Dispatch>,
    pub(super) policy: NotifyPolicy,
    pub(super) evaluation_interval: Duration,
}

#[derive(Debug)]
struct Shared {
    parts: Parts,
    samples: RwLock<SampleStore>,
    desk: Mutex<Desk>,
}

/// What evaluations leave behind for the next one.
#[derive(Debug, Default)]
struct Desk {
    book: AlertBook,
    ledger: Ledger,
    reports: Vec<RuleReport>,
    last_evaluation: Option<DateTime<Utc>>,
}

impl AlertEngine {
    /// An engine without targets, rules and sinks, to be given some.
    #[must_use]
    pub fn builder() -> AlertEngineBuilder {
        AlertEngineBuilder::default()
    }

    pub(super) fn new(parts: Parts) -> Self {
        let samples = RwLock::new(SampleStore::new(parts.limits.clone()));
        Self { shared: Arc::new(Shared { parts, samples, desk: Mutex::default() }) }
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
        scrapes.for_each_concurrent(SCRAPES_AT_ONCE_MAX, |probe| self.scrape(probe, now)).await;
    }

    pub(super) async fn scrape(&self, probe: &Probe, now: DateTime<Utc>) {
        probe.scrape(now, &self.parts().clock, &self.shared.samples).await;
    }

    /// Evaluates all rules at `now`, lets notifications of what changed wait for their delivery, and returns
    /// the changes with their reasons.
    pub fn evaluate_once(&self, now: DateTime<Utc>) -> Vec<Transition> {
        let mut desk = self.desk();
        let Evaluation { book, transitions, reports } = {
            let mut samples = self.shared.samples.write().unwrap_or_else(PoisonError::into_inner);
            samples.expire(now);
            evaluate(&self.parts().rules, &samples, &desk.book, now)
        };
        log_changes(&transitions, &desk.reports, &reports);
        desk.book = book;
        desk.reports = reports;
        desk.last_evaluation = Some(now);
        for planned in plan_notifications(&desk.book, &desk.ledger, &self.parts().policy, now) {
            desk.ledger.record(&planned);
            for dispatch in &self.parts().dispatches {
                dispatch.put(planned.notification.clone(), now);
            }
        }
        transitions
    }

    /// Makes one attempt for every notification that is due at `now`.
    ///
    /// What fails and may be repeated waits for a later time; see [`SinkStatus`](super::SinkStatus).
    pub async fn deliver_once(&self, now: DateTime<Utc>) {
        let clock = &self.parts().clock;
        let deliveries = self.parts().dispatches.iter().map(|dispatch| dispatch.deliver_due(now, clock));
        futures::future::join_all(deliveries).await;
    }

    /// Scrapes, evaluates and delivers once, and returns what changed.
    pub async fn step(&self, now: DateTime<Utc>) -> Vec<Transition> {
        self.scrape_once(now).await;
        let transitions = self.evaluate_once(now);
        self.deliver_once(now).await;
        transitions
    }

    /// All alerts that are pending, firing or resolved not long ago.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        self.desk().book.iter().cloned().collect()
    }

    /// How the engine fares: its targets, rules, sinks and store.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        let samples = self.shared.samples.read().unwrap_or_else(PoisonError::into_inner).counters();
        let desk = self.desk();
        EngineStatus {
            targets: self.parts().probes.iter().map(Probe::status).collect(),
            rules: desk.reports.clone(),
            sinks: self.parts().dispatches.iter().map(Dispatch::status).collect(),
            samples,
            last_evaluation: desk.last_evaluation,
        }
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.shared.parts
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
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
