//! Evaluates one group.

use std::cell::RefCell;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use alfred_ops_core::{Labels, SharedClock};
use chrono::{DateTime, TimeDelta, Utc};

use super::answers::Answers;
use super::asking::Asking;
use super::awaited::Awaited;
use super::outputs::Outputs;
use super::rule_state::RuleState;
use super::run::{ALERTS_PER_RULE_MAX, Run};
use super::{Evaluation, Removed};
use crate::alert::{Alert, AlertBook, AlertState, Alerts, RuleHealth, RuleReport, Transition};
use crate::promql::{QueryOptions, Selections};
use crate::rule::{CheckedGroup, CheckedRule, GroupRule, Home, RuleGroup};
use crate::saved::{Outage, SavedAlert, SavedRule, restored, rule_keys};
use crate::store::{Interest, SampleStore};

/// Evaluates the rules of one group, one after the other: later ones see what earlier ones have recorded.
///
/// It keeps the group's alerts, and what evaluations work out about labels.
#[derive(Debug)]
pub struct GroupEvaluator {
    pub(super) checked: CheckedGroup,
    pub(super) states: Vec<RuleState>,
    pub(super) options: QueryOptions,
    /// What evaluations are timed by, if they are.
    clock: Option<SharedClock>,
}

impl GroupEvaluator {
    pub(crate) fn new(checked: CheckedGroup, options: QueryOptions, selections: &Selections) -> Self {
        let state = |rule: &CheckedRule| RuleState {
            plan: rule.query.plan_sharing(selections),
            watched: rule
                .alert
                .as_ref()
                .and_then(|alert| alert.watched.as_ref())
                .map(|query| query.plan_sharing(selections)),
            reacts_to: rule
                .alert
                .as_ref()
                .filter(|alert| alert.on_change)
                .map(|_| Interest::of([&rule.query], &options)),
            alerts: Alerts::new(),
            awaited: Awaited::default(),
            outputs: Outputs::default(),
            report: RuleReport {
                group: checked.group.name.clone(),
                rule: rule.name.clone(),
                health: RuleHealth::Unknown,
                warnings: Vec::new(),
                last_evaluation: None,
                evaluation_time: Duration::ZERO,
            },
        };
        let states = checked.rules.iter().map(state).collect();
        Self { checked, states, options, clock: None }
    }

    /// Times evaluations by `clock`.
    pub(crate) fn timed_by(mut self, clock: SharedClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The group.
    #[must_use]
    pub const fn group(&self) -> &RuleGroup {
        &self.checked.group
    }

    /// The rules, how each fared at its last evaluation, and its alerts.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (&GroupRule, &RuleReport, &Alerts)> {
        let rules = self.checked.group.rules.iter().zip(&self.states);
        rules.map(|(rule, state)| (rule, &state.report, &state.alerts))
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
        let awaited_until = self.awaited_until(outage.until);
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
                // A source has its series at once; the store is filled anew.
                if rule.home == Home::Here {
                    state.awaited.add(alert.labels.clone(), awaited_until);
                }
                state.alerts.insert(alert.labels.clone(), alert);
                count += 1;
            }
        }
        count
    }

    /// Until when a store that is filled from `since` on may lack a series that is there.
    fn awaited_until(&self, since: DateTime<Utc>) -> DateTime<Utc> {
        let lookback = TimeDelta::milliseconds(self.options.lookback_millis);
        since.checked_add_signed(lookback).unwrap_or(since)
    }

    /// Whether this group takes the place of `checked`: groups of one file go by their names.
    pub(crate) fn is_named_as(&self, checked: &CheckedGroup) -> bool {
        let group = &self.checked.group;
        (&group.file, &group.name) == (&checked.group.file, &checked.group.name)
    }

    /// Whether this group is `checked`.
    pub(crate) fn evaluates(&self, checked: &CheckedGroup) -> bool {
        self.checked == *checked
    }

    /// Takes over what evaluations of `before` left behind, each rule from the first one of the same kind, name and labels
    /// that is left, as Prometheus does: expressions, texts and durations may have changed. The rest is returned.
    pub(crate) fn take_over(&mut self, before: Self, now: DateTime<Utc>) -> Vec<Removed> {
        let awaited_until = self.awaited_until(now);
        let mut left: Vec<_> = before.checked.rules.into_iter().zip(before.states).collect();
        for (rule, state) in self.checked.rules.iter().zip(&mut self.states) {
            let heir = |(known, _): &(CheckedRule, RuleState)| known.is_succeeded_by(rule);
            let Some((old, known)) = left.iter().position(heir).map(|place| left.remove(place)) else {
                continue;
            };
            (state.alerts, state.awaited) = (known.alerts, known.awaited);
            if old.home == Home::There && rule.home == Home::Here {
                // The source had the series; the store begins to keep them now.
                let labels = state.alerts.keys().cloned();
                labels.for_each(|labels| state.awaited.add(labels, awaited_until));
            }
            (state.outputs, state.report) = (known.outputs, known.report);
        }
        left.into_iter().map(|(_, state)| state.into()).collect()
    }

    /// What evaluations left behind, of a group that is no more.
    pub(crate) fn into_removed(self) -> Vec<Removed> {
        self.states.into_iter().map(Removed::from).collect()
    }

    /// How each rule fared at its last evaluation.
    pub fn reports(&self) -> impl Iterator<Item = &RuleReport> {
        self.states.iter().map(|state| &state.report)
    }

    /// What the rules take for the present at `now`.
    pub(crate) fn asked_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let offset = TimeDelta::from_std(self.checked.group.query_offset).unwrap_or_default();
        now.checked_sub_signed(offset).unwrap_or(now)
    }

    /// Evaluates all rules at `now`, and writes what they record, `ALERTS` and `ALERTS_FOR_STATE` into the store as far
    /// as any rule looks at it. Everything is asked of the store, also of a group that has a source.
    ///
    /// A rule that cannot be evaluated leaves its alerts as they were. As in Prometheus, a series that is not there any
    /// more resolves its alert; the reason then is [`Vanished`](crate::Reason::Vanished), not
    /// [`Cleared`](crate::Reason::Cleared).
    pub fn evaluate(&mut self, store: &RwLock<SampleStore>, now: DateTime<Utc>) -> Evaluation {
        let mut evaluation = Evaluation::default();
        for place in 0..self.states.len() {
            self.evaluate_rule(place, store, now, None, &mut evaluation);
        }
        evaluation
    }

    pub(super) fn run<'e>(
        &'e mut self,
        place: usize,
        store: &'e RwLock<SampleStore>,
        now: DateTime<Utc>,
        answers: Option<&'e Answers>,
    ) -> (Run<'e>, &'e mut RuleState) {
        let millis = self.asked_at(now).timestamp_millis();
        let source = answers.map(|answers| (answers, &self.checked.own_metrics));
        let asking = Asking {
            store,
            options: &self.options,
            millis,
            source,
            rehearsal: false,
            missing: RefCell::default(),
        };
        let run = Run { rule: &self.checked.rules[place], limit: self.checked.group.limit, now, asking };
        (run, &mut self.states[place])
    }

    pub(super) fn evaluate_rule(
        &mut self,
        place: usize,
        store: &RwLock<SampleStore>,
        now: DateTime<Utc>,
        answers: Option<&Answers>,
        evaluation: &mut Evaluation,
    ) {
        let clock = self.clock.clone();
        let passed = || clock.as_ref().map_or(Duration::ZERO, |clock| clock.monotonic());
        let began = passed();
        let (run, state) = self.run(place, store, now, answers);
        match run.evaluate(state, &mut evaluation.transitions) {
            Ok((samples, outputs)) => {
                state.report.health = RuleHealth::Good { samples };
                let mut store = store.write().unwrap_or_else(PoisonError::into_inner);
                state.outputs.write(&mut store, run.asking.millis, outputs);
            }
            Err(error) => {
                state.report.health = RuleHealth::Failed(Arc::new(error.with_target(run.rule.name.clone())));
            }
        }
        state.report.last_evaluation = Some(now);
        state.report.evaluation_time = passed().saturating_sub(began);
        evaluation.reports.push(state.report.clone());
    }

    /// Whether any rule is evaluated when what it looks at changes.
    pub(crate) fn reacts(&self) -> bool {
        self.states.iter().any(|state| state.reacts_to.is_some())
    }

    /// Raises, of the rules that are evaluated on change and look at any of the `changed` series, the alerts that begin
    /// at `now`. Alerts end, and failures are told, by [`evaluate`](Self::evaluate) alone.
    pub(crate) fn react(
        &mut self,
        store: &RwLock<SampleStore>,
        changed: &[Labels],
        now: DateTime<Utc>,
    ) -> Vec<Transition> {
        let mut transitions = Vec::new();
        for place in 0..self.states.len() {
            let Some(interest) = &self.states[place].reacts_to else { continue };
            if !changed.iter().any(|labels| interest.keep_millis(labels).is_some()) {
                continue;
            }
            let (run, state) = self.run(place, store, now, None);
            if let Err(error) = run.raise(state, &mut transitions) {
                tracing::debug!(
                    rule = run.rule.name,
                    error = error.full(),
                    "rule cannot be evaluated on change"
                );
            }
        }
        transitions
    }
}
