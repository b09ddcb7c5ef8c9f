//! One evaluation of one rule.

use std::collections::{BTreeMap, HashMap, HashSet};

use alfred_ops_core::{Error, ErrorKind, Labels, Result};
use chrono::{DateTime, Utc};

use super::alert_labels::{alert_labels, set_labels};
use super::asking::Asking;
use super::rule_state::RuleState;
use crate::alert::{Alert, AlertState, Alerts, Held, Step, Transition};
use crate::promql::{Answer, SampleValue, Value, VectorSample};
use crate::rule::{AlertPart, CheckedRule, Home, Template};
use crate::template::Environment;

/// A rule with more alerts than this is wrong about its labels, and would bury whoever is on call.
pub(super) const ALERTS_PER_RULE_MAX: usize = 10_000;

/// One evaluation of one rule.
pub(super) struct Run<'a> {
    pub(super) rule: &'a CheckedRule,
    pub(super) limit: usize,
    pub(super) now: DateTime<Utc>,
    pub(super) asking: Asking<'a>,
}

/// Samples that are written.
pub(super) type Written = Vec<(Labels, SampleValue)>;

impl Run<'_> {
    /// Evaluates the rule; how many samples its expression came to, and what is written of them.
    pub(super) fn evaluate(
        &self,
        state: &mut RuleState,
        transitions: &mut Vec<Transition>,
    ) -> Result<(usize, Written)> {
        let Answer { value, annotations } =
            self.asking.ask(self.rule.home, &self.rule.query, &mut state.plan)?;
        state.report.warnings =
            annotations.warnings().chain(annotations.infos()).map(str::to_owned).collect();
        let samples = samples(value);
        match &self.rule.alert {
            None => self.record(samples),
            Some(part) => self.alert(part, state, samples, transitions),
        }
    }

    /// Raises the alerts that begin now, and changes nothing else.
    pub(super) fn raise(&self, state: &mut RuleState, transitions: &mut Vec<Transition>) -> Result<()> {
        let Some(part) = &self.rule.alert else { return Ok(()) };
        let held = self
            .held(part, samples(self.asking.ask(self.rule.home, &self.rule.query, &mut state.plan)?.value))?;
        self.check_limit(held.len(), "alerts")?;
        let (watched, awaited) = (HashSet::new, &state.awaited.labels);
        let step = Step { rule: part, now: self.now, watched, awaited, transitions };
        state.alerts = step.raise(std::mem::take(&mut state.alerts), held);
        Ok(())
    }

    /// What is to be asked of the source before the rule can be evaluated, as far as that can be told now.
    pub(super) fn questions(&self, state: &mut RuleState) -> Vec<String> {
        let there = self.rule.home == Home::There;
        if !there && !self.may_ask() {
            return Vec::new();
        }
        let answer = self.asking.ask(self.rule.home, &self.rule.query, &mut state.plan);
        if let (Some(part), Ok(answer)) = (&self.rule.alert, answer) {
            self.foresee(part, state, samples(answer.value));
        }
        self.asking.missing.take()
    }

    /// Whether a template of the rule can ask for a query.
    fn may_ask(&self) -> bool {
        self.rule.templates().any(Template::may_ask)
    }

    /// Renders what asks for queries, and looks for alerts that would end. Changes nothing.
    fn foresee(&self, part: &AlertPart, state: &mut RuleState, samples: Vec<VectorSample>) {
        let standing = |alert: &&Alert| matches!(alert.state, AlertState::Pending | AlertState::Firing);
        let stands = part.watched.is_some() && state.alerts.values().any(|alert| standing(&alert));
        // A rule beyond its limit will not be evaluated.
        if self.check_limit(samples.len(), "alerts").is_err() || !(stands || self.may_ask()) {
            return;
        }
        let asks = |(_, template): &&(String, Template)| template.may_ask();
        let annotations: Vec<_> = part.annotations.iter().filter(asks).collect();
        let ask = |text: &str| self.asking.ask_for_template(text);
        let environment = Environment::new(self.now).with_query(&ask);
        let mut held = HashSet::with_capacity(samples.len());
        for sample in &samples {
            held.insert(alert_labels(self.rule, sample, &environment));
            for (_, template) in &annotations {
                template.render(&sample.labels, &sample.value, &environment);
            }
        }
        let ends = |alert: &Alert| !held.contains(&alert.labels);
        if state.alerts.values().filter(standing).any(ends)
            && let (Some(query), Some(plan)) = (&part.watched, &mut state.watched)
            && self.rule.home == Home::There
        {
            drop(self.asking.ask(self.rule.home, query, plan));
        }
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
        let held = self.held(part, samples)?;
        let ask = |text: &str| self.asking.ask_for_template(text);
        let environment = Environment::new(self.now).with_query(&ask);
        let count = held.len();
        state.awaited.see(&held, self.now);
        let known = transitions.len();
        let watched = part.watched.as_ref().zip(state.watched.as_mut());
        let mut watched = watched.map(|(query, plan)| || self.asking.ask(self.rule.home, query, plan));
        let watch = || match watched.as_mut().map(|ask| ask()) {
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

    /// The alerts whose condition holds, with their texts.
    fn held(&self, part: &AlertPart, samples: Vec<VectorSample>) -> Result<BTreeMap<Labels, Held>> {
        let ask = |text: &str| self.asking.ask_for_template(text);
        let environment = Environment::new(self.now).with_query(&ask);
        let mut held = BTreeMap::new();
        for sample in samples {
            let labels = alert_labels(self.rule, &sample, &environment);
            let fill = |(name, template): &(String, Template)| {
                (name.clone(), template.render(&sample.labels, &sample.value, &environment))
            };
            let annotations = part.annotations.iter().map(fill).collect();
            if held.insert(labels, Held { value: number(&sample.value), annotations }).is_some() {
                return Err(duplicate(
                    "vector contains metrics with the same labelset after applying alert labels",
                ));
            }
        }
        Ok(held)
    }
}

/// What a rule's expression came to, sample by sample.
fn samples(value: Value) -> Vec<VectorSample> {
    match value {
        Value::Scalar(value) => vec![VectorSample { labels: Labels::empty(), value: value.into() }],
        Value::Vector(samples) => samples,
        // The types were checked before; a source that answers otherwise has no samples.
        Value::Text(_) | Value::Matrix(_) => Vec::new(),
    }
}

/// A sample as a number; a histogram is none, and counts as zero.
pub(super) fn number(value: &SampleValue) -> f64 {
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
