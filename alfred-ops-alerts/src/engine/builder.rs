//! Puts an engine together.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result, SharedClock, StateStore, SystemClock, Write};

use super::alert_engine::{AlertEngine, Parts};
use super::alertmanagers::Alertmanagers;
use super::dispatch::Dispatch;
use super::groups::Groups;
use super::jobs::Jobs;
use super::keeper::Keeper;
use super::probe::Probe;
use super::remotes::Remotes;
use super::snapshot_file::SnapshotFile;
use super::snapshots::Snapshots;
use crate::alertmanager::{Alertmanager, AlertmanagerPolicy};
use crate::job::ScrapeJob;
use crate::notify::NotifyPolicy;
use crate::promql::QueryOptions;
use crate::query_source::QuerySource;
use crate::rule::{Rule, RuleGroup, RuleSet};
use crate::scrape::Target;
use crate::sink::AlertSink;
use crate::store::{SampleStore, StoreLimits};

/// Rules are evaluated as often as targets are scraped, as the platform's Prometheus does.
const EVALUATION_INTERVAL: Duration = Duration::from_secs(15);

/// Puts an [`AlertEngine`] together.
#[derive(Debug, Default)]
pub struct AlertEngineBuilder {
    targets: Vec<Target>,
    jobs: Vec<ScrapeJob>,
    rules: Vec<Rule>,
    groups: Vec<RuleGroup>,
    sources: Vec<Arc<dyn QuerySource>>,
    keep_all: Option<Duration>,
    sinks: Vec<Arc<dyn AlertSink>>,
    alertmanagers: Vec<Arc<dyn Alertmanager>>,
    alertmanager_policy: AlertmanagerPolicy,
    clock: Option<SharedClock>,
    limits: StoreLimits,
    policy: NotifyPolicy,
    evaluation_interval: Option<Duration>,
    state: Option<(Arc<dyn StateStore>, String)>,
    snapshot: Option<(PathBuf, Duration)>,
}

impl AlertEngineBuilder {
    /// Adds a target.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Adds targets.
    #[must_use]
    pub fn targets(mut self, targets: impl IntoIterator<Item = Target>) -> Self {
        self.targets.extend(targets);
        self
    }

    /// Adds jobs whose targets are found, come and go, as in Prometheus' `scrape_configs`. Needs the feature `http`.
    #[must_use]
    pub fn jobs(mut self, jobs: impl IntoIterator<Item = ScrapeJob>) -> Self {
        self.jobs.extend(jobs);
        self
    }

    /// Adds alerting rules, which form a group of their own.
    #[must_use]
    pub fn rules(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// Adds groups of rules, each evaluated at its own interval.
    #[must_use]
    pub fn rule_groups(mut self, groups: impl IntoIterator<Item = RuleGroup>) -> Self {
        self.groups.extend(groups);
        self
    }

    /// Adds a server that groups can name as their [`source`](RuleGroup::source): Prometheus, Thanos, Mimir,
    /// VictoriaMetrics. Their queries are sent to it whole, at the group's interval; see
    /// [`remote_rule_groups`](Self::remote_rule_groups).
    #[must_use]
    pub fn query_source(mut self, source: Arc<dyn QuerySource>) -> Self {
        self.sources.push(source);
        self
    }

    /// Adds groups of rules that are asked of `source`, whatever source they name; the same rules as for the engine's own
    /// store, with the same alerts, templates, limits, and state across restarts.
    ///
    /// What such rules record, and `ALERTS`, stays in the engine. A rule that looks at nothing else is answered here, and
    /// so is a `query` of its templates; one that looks at both sides is refused. A source that gives no answer within
    /// the group's interval leaves alerts as they were, which [`EngineStatus`](super::EngineStatus) tells, and holds up
    /// no other group.
    #[must_use]
    pub fn remote_rule_groups(
        self,
        source: Arc<dyn QuerySource>,
        groups: impl IntoIterator<Item = RuleGroup>,
    ) -> Self {
        let name = source.name().to_owned();
        let groups = groups.into_iter().map(|group| group.with_source(name.clone()));
        self.rule_groups(groups).query_source(source)
    }

    /// Keeps all series for this long, whether or not a rule looks at them. By default only what rules look at is
    /// kept, for as long as they look back.
    #[must_use]
    pub const fn keep_all(mut self, retention: Duration) -> Self {
        self.keep_all = Some(retention);
        self
    }

    /// Adds a sink. Every sink gets every notification.
    #[must_use]
    pub fn sink(mut self, sink: Arc<dyn AlertSink>) -> Self {
        self.sinks.push(sink);
        self
    }

    /// Adds an Alertmanager, or what takes alerts as it does. Each is told of the state of all alerts that fire or have
    /// resolved, as a Prometheus tells it, and does the rest itself; sinks, which reach people, are told beside it.
    ///
    /// What waits for one, and how long one takes, holds up neither the others nor an evaluation. After a restart all alerts
    /// are sent anew, as by Prometheus; alerts of rules that [are no more](AlertEngine::reload) are sent no more, and end
    /// there when their time is over.
    #[must_use]
    pub fn alertmanager(mut self, alertmanager: Arc<dyn Alertmanager>) -> Self {
        self.alertmanagers.push(alertmanager);
        self
    }

    /// Sets what Alertmanagers are told, and how often.
    #[must_use]
    pub fn alertmanager_policy(mut self, policy: AlertmanagerPolicy) -> Self {
        self.alertmanager_policy = policy;
        self
    }

    /// Sets the clock; the machine's if not given. HTTP timeouts run on the machine's clock in any case.
    #[must_use]
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets how much is kept of the past.
    #[must_use]
    pub fn store_limits(mut self, limits: StoreLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how much is told, and how often.
    #[must_use]
    pub fn notify_policy(mut self, policy: NotifyPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets how often groups without an interval of their own are evaluated; every 15 s if not given.
    #[must_use]
    pub const fn evaluation_interval(mut self, interval: Duration) -> Self {
        self.evaluation_interval = Some(interval);
        self
    }

    /// Keeps alerts, and what sinks were told of them, in the document `key` of `store`, so that a restart neither starts
    /// them over nor tells of them again. Each engine needs a key of its own: visible ASCII, at most 512 bytes.
    ///
    /// A store that fails delays what it should keep and never the alerts; see [`StateStatus`](super::StateStatus).
    #[must_use]
    pub fn state(mut self, store: Arc<dyn StateStore>, key: impl Into<String>) -> Self {
        self.state = Some((store, key.into()));
        self
    }

    /// Keeps the samples in the file at `path`, so that rules over ranges have their windows again after a restart: written
    /// every `interval` (a minute is a good choice) and at the end of [`run`](AlertEngine::run), read before the first
    /// scrape. Each engine needs a path of its own, in a folder that exists; beside it lies for a moment a file of the same
    /// name with `.new` behind it.
    ///
    /// A file that was written by half is never seen: a new one is complete, and flushed, before it takes the name of the
    /// last. Writing happens off the runtime's threads and takes memory for one copy of the samples; while that copy is
    /// made evaluations go on and scrapes that end wait. A file that cannot be read or written shows in
    /// [`SnapshotStatus`](super::SnapshotStatus) and holds no alert up.
    ///
    /// A counter that was restarted meanwhile is a reset like any other. A series that ended during the outage is present
    /// until lookback passes (5 minutes after its last sample), as in a Prometheus that was killed: nobody was there to see
    /// its end.
    #[must_use]
    pub fn snapshot(mut self, path: impl Into<PathBuf>, interval: Duration) -> Self {
        self.snapshot = Some((path.into(), interval));
        self
    }

    /// Checks everything and makes the engine, which does nothing until it is run or stepped.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) with all problems at once: rules, targets, intervals, names that
    /// occur twice. [`Unsupported`](ErrorKind::Unsupported) for a target over HTTP without the feature `http`.
    pub fn build(self) -> Result<AlertEngine> {
        let mut problems = Vec::new();
        let own = RuleGroup::new("rules").with_rules(self.rules);
        let groups = self.groups.into_iter().chain((!own.rules.is_empty()).then_some(own));
        let rules = RuleSet::of_groups(groups).unwrap_or_else(|error| {
            problems.push(error.to_string());
            RuleSet::default()
        });
        let remotes = Remotes::new(self.sources, &mut problems);
        problems.extend(remotes.problems(&rules));
        let evaluation_interval = self.evaluation_interval.unwrap_or(EVALUATION_INTERVAL);
        if evaluation_interval.is_zero() {
            problems.push("the evaluation interval is zero".to_owned());
        }
        check_targets(&self.targets, &mut problems);
        let mut names = BTreeSet::new();
        for sink in &self.sinks {
            if !names.insert(sink.name()) {
                problems.push(format!("two sinks are named {:?}", sink.name()));
            }
        }
        let alertmanagers = Alertmanagers::new(self.alertmanagers, self.alertmanager_policy, &mut problems);
        if let Some((_, key)) = &self.state {
            // What a store would say of the key, said before anything runs.
            if let Err(error) = Write::create(key.as_str(), serde_json::Value::Null).check() {
                problems.push(format!("the state's key: {error}"));
            }
        }
        let snapshots = self.snapshot.and_then(|(path, interval)| {
            if interval.is_zero() {
                problems.push("the snapshot's interval is zero".to_owned());
            }
            let shown = path.display().to_string();
            let file = SnapshotFile::at(path);
            if file.is_none() {
                problems.push(format!("the snapshot's path {shown:?} names no file"));
            }
            file.map(|file| Snapshots::new(file, interval))
        });
        if !problems.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "build alert engine", problems.join("; ")));
        }
        let options = QueryOptions::default().with_subquery_step(evaluation_interval);
        let clock = self.clock.unwrap_or_else(SystemClock::shared);
        let timed = (options, SharedClock::clone(&clock));
        let groups = Groups::new(&rules, timed, evaluation_interval, self.keep_all, remotes);
        let interest = groups.interest(&rules);
        Ok(AlertEngine::new(Parts {
            jobs: Jobs::new(&self.jobs, &self.targets, &clock)?,
            probes: self.targets.iter().filter_map(Probe::new).collect(),
            clock,
            groups,
            store: RwLock::new(SampleStore::new(self.limits, interest)),
            dispatches: self.sinks.into_iter().map(Dispatch::new).collect(),
            alertmanagers,
            policy: self.policy,
            keeper: self.state.map(|(store, key)| Keeper::new(store, key)),
            snapshots,
        }))
    }
}

fn check_targets(targets: &[Target], problems: &mut Vec<String>) {
    let mut known = BTreeSet::new();
    for target in targets {
        if target.instance().contains(['@', '/']) {
            // It may hold a password, and would become a label that everybody sees.
            problems.push(format!(
                "a target of job {:?}: the instance is not host and port; give a URL by Target::with_url",
                target.job()
            ));
            continue;
        }
        let name = format!("{}/{}", target.job(), target.instance());
        if target.job().is_empty() || target.instance().is_empty() {
            problems.push(format!("target {name}: job or instance is empty"));
        }
        if target.config.interval.is_zero() || target.config.timeout.is_zero() {
            problems.push(format!("target {name}: the interval or the timeout is zero"));
        }
        if target.config.timeout > target.config.interval {
            problems.push(format!(
                "target {name}: the timeout {:?} exceeds the interval {:?}",
                target.config.timeout, target.config.interval
            ));
        }
        if !known.insert(name.clone()) {
            problems.push(format!("target {name}: another target has the same job and instance"));
        }
    }
}
