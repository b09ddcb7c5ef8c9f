//! Scrapes, evaluates, notifies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use alfred_ops_core::{Error, ErrorKind, Labels, Result, SharedClock};
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::alertmanagers::Alertmanagers;
use super::dispatch::Dispatch;
use super::group::Group;
use super::groups::Groups;
use super::jobs::Jobs;
use super::keeper::Keeper;
use super::probe::Probe;
use super::snapshots::Snapshots;
use super::{AlertEngineBuilder, EngineStatus, Reload, run};
use crate::alert::{Alert, AlertBook, RuleHealth, RuleReport, Transition};
use crate::evaluation::{Evaluation, GroupEvaluator};
use crate::explain::Explanation;
use crate::notify::{Ledger, NotifyPolicy, plan_notifications};
use crate::rule::{RuleGroup, RuleSet};
use crate::store::SampleStore;

/// How many targets are asked at once in one step: bounds sockets and pages in memory.
const SCRAPES_AT_ONCE_MAX: usize = 32;
/// How often samples that no rule can look back to are given up: it means looking at every series.
const EXPIRY_INTERVAL: TimeDelta = TimeDelta::seconds(15);

/// Scrapes targets, evaluates rules over what they say, and notifies sinks of what changes.
///
/// [`run`](Self::run) does all of it until it is told to stop. A test, a demonstration or a host with a loop
/// of its own drives it step by step instead: [`scrape_once`](Self::scrape_once),
/// [`evaluate`](Self::evaluate) (or [`evaluate_once`](Self::evaluate_once), which asks nobody),
/// [`deliver_once`](Self::deliver_once), or all three by [`step`](Self::step). Clones are handles to one engine.
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
    pub(super) groups: Groups,
    pub(super) store: RwLock<SampleStore>,
    pub(super) dispatches: Vec<Dispatch>,
    pub(super) alertmanagers: Alertmanagers,
    pub(super) policy: NotifyPolicy,
    pub(super) keeper: Option<Keeper>,
    pub(super) snapshots: Option<Snapshots>,
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

    async fn scrape(&self, probe: &Probe, now: DateTime<Utc>) {
        probe.scrape(now, &self.parts().clock, self.store()).await;
    }

    /// Scrapes a target, and evaluates the rules that are evaluated on change and look at what has changed.
    pub(super) async fn scrape_and_react(&self, probe: &Probe, now: DateTime<Utc>) {
        let changed = probe.scrape(now, &self.parts().clock, self.store()).await;
        self.evaluate_changes(&changed, now);
    }

    /// Evaluates all groups at `now` that are asked of the engine's own store, lets notifications of what changed wait for
    /// their delivery, and returns the changes with their reasons.
    ///
    /// It waits for nobody: groups with a [source](RuleGroup::source) stay as they are. [`evaluate`](Self::evaluate) takes
    /// them along.
    pub fn evaluate_once(&self, now: DateTime<Utc>) -> Vec<Transition> {
        self.expire(now);
        let groups = self.parts().groups.list();
        let own = groups.iter().filter(|group| group.source.is_none());
        let transitions = own.flat_map(|group| self.evaluate_rules(group, now)).collect();
        self.finish_evaluation(now, now, transitions)
    }

    /// Evaluates one group at `now`, and lets notifications of what changed wait for their delivery. A group with a source
    /// that is exchanged meanwhile ends it.
    pub(super) async fn evaluate_group(&self, group: &Group, now: DateTime<Utc>) {
        self.expire(now);
        let transitions = match self.ask_source(group, now).await {
            Some(asked) => self.evaluate_asked(group, asked).await,
            None => self.evaluate_rules(group, now),
        };
        let until = if group.source.is_some() { now.max(self.parts().clock.now()) } else { now };
        self.finish_evaluation(now, until, transitions);
    }

    /// Notes an evaluation at `now` that ended at `until`.
    pub(super) fn finish_evaluation(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        transitions: Vec<Transition>,
    ) -> Vec<Transition> {
        self.desk().last_evaluation = Some(now);
        self.notify(until);
        self.note_change(!transitions.is_empty());
        transitions
    }

    /// Reads, between two scrapes, the sources that [tell of changes](alfred_ops_core::MetricSource::changes), and evaluates
    /// the rules that are [evaluated on change](crate::Rule::evaluated_on_change) and look at what has changed. Only new
    /// alerts come of it, which are returned; their notifications wait for their delivery.
    pub async fn react_once(&self, now: DateTime<Utc>) -> Vec<Transition> {
        let probes = self.parts().probes.iter().filter(|probe| probe.changes().is_some());
        let looks = probes.map(|probe| probe.look(now, &self.parts().clock, self.store()));
        let changed = futures::future::join_all(looks).await.concat();
        self.evaluate_changes(&changed, now)
    }

    /// The same of one source.
    pub(super) async fn look_and_react(&self, probe: &Probe, now: DateTime<Utc>) {
        let changed = probe.look(now, &self.parts().clock, self.store()).await;
        self.evaluate_changes(&changed, now);
    }

    fn evaluate_changes(&self, changed: &[Labels], now: DateTime<Utc>) -> Vec<Transition> {
        if changed.is_empty() {
            return Vec::new();
        }
        let groups = self.parts().groups.list();
        let react = |group: &Arc<Group>| group.with(|evaluator| evaluator.react(self.store(), changed, now));
        let reacting = groups.iter().filter(|group| group.reacts);
        let transitions: Vec<Transition> = reacting.filter_map(react).flatten().collect();
        if !transitions.is_empty() {
            log_changes(&transitions, &[], &[]);
            let reacting = groups.iter().filter(|group| group.reacts);
            reacting.for_each(|group| self.post(group, now, GroupEvaluator::take_new_posts));
            self.notify(now);
            self.note_change(true);
        }
        transitions
    }

    pub(super) fn expire(&self, now: DateTime<Utc>) {
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

    pub(super) fn evaluate_rules(&self, group: &Group, now: DateTime<Utc>) -> Vec<Transition> {
        let evaluated = group.with(|evaluator| {
            let before: Vec<RuleReport> = evaluator.reports().cloned().collect();
            (before, evaluator.evaluate(&self.parts().store, now))
        });
        let Some((before, Evaluation { transitions, reports })) = evaluated else { return Vec::new() };
        log_changes(&transitions, &before, &reports);
        self.post(group, now, GroupEvaluator::take_posts);
        transitions
    }

    /// Puts `groups` in place of all rules, as of `now`; a [running](Self::run) engine goes on with them.
    ///
    /// Groups go by file and name. One that has not changed goes on undisturbed, `for` and rhythm included; in one that
    /// has, each rule takes over the alerts of the rule of the same kind, name and labels, as in Prometheus: its
    /// expression, `for` and annotations may be others. The alerts of rules that are no more end, and sinks that were told
    /// of them are told so; their series end too. What no rule looks at any more is given up at once; a range of a new
    /// rule fills from now on, unless the engine [keeps everything](AlertEngineBuilder::keep_all). A group may change its
    /// [source](RuleGroup::source) too: the next answer decides about its alerts. One that has none any more waits for its
    /// series, as after a restart: for the lookback of queries an alert whose series is not there yet stays as it is.
    ///
    /// # Errors
    /// [`InvalidInput`](alfred_ops_core::ErrorKind::InvalidInput) with all problems of all rules at once, or with all
    /// groups that name a source which the engine was not built with; then nothing has changed.
    pub fn reload(&self, groups: impl IntoIterator<Item = RuleGroup>, now: DateTime<Utc>) -> Result<Reload> {
        let rules = RuleSet::of_groups(groups)?;
        let groups = &self.parts().groups;
        let problems = groups.remotes.problems(&rules);
        if !problems.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "reload rules", problems.join("; ")));
        }
        let mut removed = Vec::new();
        let mut reload = groups.exchange(&rules, now, |rule| removed.push(rule));
        {
            let mut store = self.store().write().unwrap_or_else(PoisonError::into_inner);
            for rule in removed {
                rule.end(&mut store, now, &mut reload.transitions);
            }
            store.set_interest(groups.interest(&rules));
        }
        let Reload { groups_added, groups_changed, groups_removed, groups_unchanged, .. } = &reload;
        tracing::info!(groups_added, groups_changed, groups_removed, groups_unchanged, "rules exchanged");
        log_changes(&reload.transitions, &[], &[]);
        self.notify(now);
        self.note_change(true);
        Ok(reload)
    }

    fn notify(&self, now: DateTime<Utc>) {
        let mut desk = self.desk();
        // Read behind the lock: an older book would take back what a newer one has told.
        let book = self.book();
        for planned in plan_notifications(&book, &desk.ledger, &self.parts().policy, now) {
            desk.ledger.record(&planned);
            for dispatch in &self.parts().dispatches {
                dispatch.put(planned.notification.clone(), now);
            }
        }
    }

    fn book(&self) -> AlertBook {
        let mut book = AlertBook::default();
        for group in self.parts().groups.read().iter() {
            group.with(|evaluator| evaluator.enter(&mut book));
        }
        book
    }

    /// Makes one attempt for every notification that is due at `now`, and tells Alertmanagers what waits for them.
    ///
    /// A notification that fails and may be repeated waits for a later time; see [`SinkStatus`](super::SinkStatus). What an
    /// Alertmanager does not take is not repeated: what still holds is sent with a later evaluation; see
    /// [`AlertmanagerStatus`](super::AlertmanagerStatus).
    pub async fn deliver_once(&self, now: DateTime<Utc>) {
        let clock = &self.parts().clock;
        let deliveries = self.parts().dispatches.iter().map(|dispatch| dispatch.deliver_due(now, clock));
        let posts = self.parts().alertmanagers.posts().iter().map(|post| post.send_waiting(now, clock));
        futures::future::join(futures::future::join_all(deliveries), futures::future::join_all(posts)).await;
    }

    /// Scrapes, evaluates and delivers once, and returns what changed. Before it the state of the last run is
    /// [restored](Self::restore), after it the present one [saved](Self::save), if the engine keeps its state.
    pub async fn step(&self, now: DateTime<Utc>) -> Vec<Transition> {
        // Alerting goes on without its store; the status tells.
        drop(self.restore(now).await);
        self.scrape_once(now).await;
        let transitions = self.evaluate(now).await;
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
    ///
    /// It asks nobody: of a rule that a source answers it tells how that fared at the last evaluation;
    /// [`explain_by_asking`](Self::explain_by_asking) takes it apart.
    #[must_use]
    pub fn explain(&self, name: &str, about: &Labels, now: DateTime<Utc>) -> Vec<Explanation> {
        let store = self.store().read().unwrap_or_else(PoisonError::into_inner);
        let groups = self.parts().groups.read();
        let explained = groups
            .iter()
            .filter_map(|group| group.with(|evaluator| evaluator.explain(name, about, &store, now)));
        explained.flatten().collect()
    }

    /// How the engine fares: its targets, rules, sinks and store.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        let samples = self.parts().store.read().unwrap_or_else(PoisonError::into_inner).counters();
        let groups = self.parts().groups.read();
        let reports =
            |group: &Arc<Group>| group.with(|evaluator| evaluator.reports().cloned().collect::<Vec<_>>());
        let rules = groups.iter().filter_map(reports).flatten().collect();
        drop(groups);
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
            sources: self.parts().groups.remotes.iter().map(|remote| remote.status()).collect(),
            sinks: self.parts().dispatches.iter().map(Dispatch::status).collect(),
            alertmanagers: self.parts().alertmanagers.status(),
            state: self.parts().keeper.as_ref().map(Keeper::status),
            snapshot: self.parts().snapshots.as_ref().map(Snapshots::status),
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

pub(super) fn log_changes(transitions: &[Transition], before: &[RuleReport], now: &[RuleReport]) {
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
