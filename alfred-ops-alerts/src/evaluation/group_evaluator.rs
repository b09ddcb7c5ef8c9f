//! Evaluates one group.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use alfred_ops_core::{Error, ErrorKind, Labels, Result, Sample};
use chrono::{DateTime, TimeDelta, Utc};

use super::Evaluation;
use super::alert_labels::{alert_labels, set_labels};
use super::awaited::Awaited;
use super::outputs::Outputs;
use crate::alert::{Alert, AlertBook, AlertState, Alerts, Held, RuleHealth, RuleReport, Step, Transition};
use crate::explain::{Explanation, explain};
use crate::promql::{Answer, Query, QueryOptions, QueryPlan, SampleValue, Value, VectorSample};
use crate::rule::{AlertPart, CheckedGroup, CheckedRule, RuleGroup, Template};
use crate::saved::{Outage, SavedAlert, SavedRule, restored, rule_keys};
use crate::store::SampleStore;
use crate::template::Environment;

/// A rule with more alerts than this is wrong about its labels, and would bury whoever is on call.
const ALERTS_PER_RULE_MAX: usize = 10_000;

/// Evaluates the rules of one group, one after the other: later ones see what earlier ones have recorded.
///
/// It keeps the group's alerts, and what evaluations work out about labels.
#[derive(Debug)]
pub struct GroupEvaluator {
    checked: CheckedGroup,
    states: Vec<RuleState>,
    options: QueryOptions,
}

/// What evaluations of a rule leave behind for the next one.
#[derive(Debug)]
struct RuleState {
    plan: QueryPlan,
    watched: Option<QueryPlan>,
    alerts: Alerts,
    awaited: Awaited,
    outputs: Outputs,
    report: RuleReport,
}

impl GroupEvaluator {
    pub(crate) fn new(checked: CheckedGroup, options: QueryOptions) -> Self {
        let state = |rule: &CheckedRule| RuleState {
            plan: rule.query.plan(),
            watched: rule
                .alert
                .as_ref()
                .and_then(|alert| alert.watched.as_ref())
                .map(crate::promql::Query::plan),
            alerts: Alerts::new(),
            awaited: Awaited::default(),
            outputs: Outputs::default(),
            report: RuleReport {
                group: checked.group.name.clone(),
                rule: rule.name.clone(),
                health: RuleHealth::Unknown,
                warnings: Vec::new(),
            },
        };
        let states = checked.rules.iter().map(state).collect();
        Self { checked, states, options }
    }

    /// The group.
    #[must_use]
    pub const fn group(&self) -> &RuleGroup {
        &self.checked.group
    }

    /// Adds the group's alerts to `book`.
    pub fn enter(&self, book: &mut AlertBook) {
        for (place, state) in self.states.iter().enumerate() {
            let group = &self.checked.group;
            book.set(&group.file, &group.name, place, &state.alerts);
        }
    }

    /// The group's alerts by rule, to be saved.
    pub(crate) fn saved(&self) -> impl Iterator<Item = SavedRule> {
        rule_keys(&self.checked).into_iter().zip(&self.states).map(|(rule, state)| SavedRule {
            rule,
            alerts: state.alerts.values().filter_map(SavedAlert::of).collect(),
        })
    }

    /// Takes over the alerts of the rules that are still as they were, and returns how many. What has begun to fire since
    /// stands.
    pub(crate) fn restore(&mut self, saved: &[SavedRule], outage: Outage) -> usize {
        let mut count = 0;
        let lookback = TimeDelta::milliseconds(self.options.lookback_millis);
        let awaited_until = outage.until.checked_add_signed(lookback).unwrap_or(outage.until);
        let rules = self.checked.rules.iter().zip(&mut self.states).zip(rule_keys(&self.checked));
        for ((rule, state), key) in rules {
            let Some(part) = &rule.alert else { continue };
            let alerts = saved.iter().filter(|saved| saved.rule == key).flat_map(|saved| &saved.alerts);
            for alert in alerts
                .take(ALERTS_PER_RULE_MAX)
                .filter_map(|alert| restored(alert.alert(), outage, part).ok())
            {
                let firing = |alert: &Alert| alert.state == AlertState::Firing;
                if state.alerts.get(&alert.labels).is_some_and(firing) {
                    continue;
                }
                state.awaited.add(alert.labels.clone(), awaited_until);
                state.alerts.insert(alert.labels.clone(), alert);
                count += 1;
            }
        }
        count
    }

    /// How each rule fared at its last evaluation.
    pub fn reports(&self) -> impl Iterator<Item = &RuleReport> {
        self.states.iter().map(|state| &state.report)
    }

    /// Explains the rules named `name`.
    pub(crate) fn explain(
        &self,
        name: &str,
        about: &Labels,
        store: &SampleStore,
        now: DateTime<Utc>,
    ) -> Vec<Explanation> {
        let at = self.asked_at(now);
        let named = self.checked.rules.iter().filter(|rule| rule.name == name);
        named.map(|rule| explain(&rule.query, store, at, about, &self.options)).collect()
    }

    /// What the rules take for the present at `now`.
    fn asked_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let offset = TimeDelta::from_std(self.checked.group.query_offset).unwrap_or_default();
        now.checked_sub_signed(offset).unwrap_or(now)
    }

    /// Evaluates all rules at `now`, and writes what they record, `ALERTS` and `ALERTS_FOR_STATE` into the store as far
    /// as any rule looks at it.
    ///
    /// A rule that cannot be evaluated leaves its alerts as they were. As in Prometheus, a series that is not there any
    /// more resolves its alert; the reason then is [`Vanished`](crate::Reason::Vanished), not
    /// [`Cleared`](crate::Reason::Cleared).
    pub fn evaluate(&mut self, store: &RwLock<SampleStore>, now: DateTime<Utc>) -> Evaluation {
        let mut evaluation = Evaluation::default();
        let asked_at = self.asked_at(now);
        for (rule, state) in self.checked.rules.iter().zip(&mut self.states) {
            let mut run = Run {
                rule,
                limit: self.checked.group.limit,
                options: &self.options,
                store,
                now,
                millis: asked_at.timestamp_millis(),
            };
            match run.evaluate(state, &mut evaluation.transitions) {
                Ok((samples, outputs)) => {
                    state.report.health = RuleHealth::Good { samples };
                    let mut store = store.write().unwrap_or_else(PoisonError::into_inner);
                    state.outputs.write(&mut store, run.millis, outputs);
                }
                Err(error) => {
                    state.report.health = RuleHealth::Failed(Arc::new(error.with_target(rule.name.clone())));
                }
            }
            evaluation.reports.push(state.report.clone());
        }
        evaluation
    }
}

/// One evaluation of one rule.
struct Run<'a> {
    rule: &'a CheckedRule,
    limit: usize,
    options: &'a QueryOptions,
    store: &'a RwLock<SampleStore>,
    now: DateTime<Utc>,
    millis: i64,
}

type Written = Vec<(Labels, SampleValue)>;

impl Run<'_> {
    fn evaluate(
        &mut self,
        state: &mut RuleState,
        transitions: &mut Vec<Transition>,
    ) -> Result<(usize, Written)> {
        let Answer { value, annotations } = self.ask(&mut state.plan)?;
        state.report.warnings =
            annotations.warnings().chain(annotations.infos()).map(str::to_owned).collect();
        let samples = match value {
            Value::Scalar(value) => vec![VectorSample { labels: Labels::empty(), value: value.into() }],
            Value::Vector(samples) => samples,
            // The types were checked before.
            Value::Text(_) | Value::Matrix(_) => Vec::new(),
        };
        match &self.rule.alert {
            None => self.record(samples),
            Some(part) => self.alert(part, state, samples, transitions),
        }
    }

    fn ask(&self, plan: &mut QueryPlan) -> Result<Answer> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        Ok(plan.instant(&*store, self.millis, self.options)?)
    }

    fn check_limit(&self, count: usize, what: &str) -> Result<()> {
        let limit = if self.limit == 0 { ALERTS_PER_RULE_MAX } else { self.limit };
        let unlimited = self.limit == 0 && self.rule.alert.is_none();
        if count <= limit || unlimited {
            return Ok(());
        }
        let message = format!("exceeded limit of {limit} with {count} {what}");
        Err(Error::new(ErrorKind::ResourceExhausted, "evaluate rule", message)
            .with_remedy("aggregate to fewer labels, or raise the group's limit"))
    }

    fn record(&self, samples: Vec<VectorSample>) -> Result<(usize, Written)> {
        self.check_limit(samples.len(), "series")?;
        let mut outputs = HashMap::with_capacity(samples.len());
        for sample in samples {
            let environment = Environment::new(self.now);
            let labels = set_labels(self.rule, &sample, &sample.labels, &environment)
                .with(Labels::NAME, &self.rule.name);
            if outputs.insert(labels, sample.value).is_some() {
                return Err(duplicate(
                    "vector contains metrics with the same labelset after applying rule labels",
                ));
            }
        }
        Ok((outputs.len(), outputs.into_iter().collect()))
    }

    fn alert(
        &self,
        part: &AlertPart,
        state: &mut RuleState,
        samples: Vec<VectorSample>,
        transitions: &mut Vec<Transition>,
    ) -> Result<(usize, Written)> {
        let mut held: BTreeMap<Labels, Held> = BTreeMap::new();
        let ask = |text: &str| self.ask_for_template(text);
        let environment = Environment::new(self.now).with_query(&ask);
        for sample in samples {
            let labels = alert_labels(self.rule, &sample, &environment);
            let value = number(&sample.value);
            let annotations = part.annotations.iter();
            let fill = |(name, template): &(String, Template)| {
                (name.clone(), template.render(&sample.labels, &sample.value, &environment))
            };
            let annotations = annotations.map(fill).collect();
            if held.insert(labels, Held { value, annotations }).is_some() {
                return Err(duplicate(
                    "vector contains metrics with the same labelset after applying alert labels",
                ));
            }
        }
        let count = held.len();
        state.awaited.see(&held, self.now);
        let known = transitions.len();
        let watched = &mut state.watched;
        let watch = || match watched.as_mut().map(|plan| self.ask(plan)) {
            Some(Ok(Answer { value: Value::Vector(samples), .. })) => samples
                .iter()
                .map(|sample| alert_labels(self.rule, sample, &environment))
                .collect::<HashSet<Labels>>(),
            _ => HashSet::new(),
        };
        let step =
            Step { rule: part, now: self.now, watched: watch, awaited: &state.awaited.labels, transitions };
        state.alerts = step.advance(std::mem::take(&mut state.alerts), held);
        let standing = |alert: &&Alert| matches!(alert.state, AlertState::Pending | AlertState::Firing);
        if let Err(error) = self.check_limit(state.alerts.values().filter(standing).count(), "alerts") {
            // As in Prometheus, a rule beyond its limit, with alerts that are kept firing, has none rather than some.
            transitions.truncate(known);
            state.alerts.clear();
            return Err(error);
        }
        Ok((count, alert_series(&state.alerts)))
    }

    /// What a template's `query` comes to, as of the rule's own time.
    fn ask_for_template(&self, text: &str) -> Result<Vec<Sample>> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        let query = Query::parse(text)?;
        match query.instant(&*store, self.millis, self.options)?.value {
            Value::Scalar(value) => Ok(vec![Sample::new(Labels::empty(), value)]),
            Value::Vector(samples) => Ok(samples
                .into_iter()
                .map(|sample| Sample::new(sample.labels, number(&sample.value)))
                .collect()),
            Value::Text(_) | Value::Matrix(_) => Err(Error::new(
                ErrorKind::InvalidInput,
                "evaluate query",
                "query result is not a vector or scalar",
            )),
        }
    }
}

/// A sample as a number; a histogram is none, and counts as zero.
fn number(value: &SampleValue) -> f64 {
    value.float().unwrap_or(0.0)
}

/// `ALERTS` and `ALERTS_FOR_STATE`.
fn alert_series(alerts: &Alerts) -> Written {
    let mut written = Vec::new();
    for alert in alerts.values() {
        if !matches!(alert.state, AlertState::Pending | AlertState::Firing) {
            continue;
        }
        let state = alert.labels.with("alertstate", &alert.state.to_string()).with(Labels::NAME, "ALERTS");
        written.push((state, 1.0.into()));
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
        let since = alert.active_at.timestamp() as f64;
        written.push((alert.labels.with(Labels::NAME, "ALERTS_FOR_STATE"), since.into()));
    }
    written
}

fn duplicate(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "evaluate rule", message)
        .with_remedy("aggregate to labels that tell the series apart")
}
