//! Evaluates all groups at once.

use std::sync::RwLock;

use chrono::{DateTime, Utc};

use super::{Evaluation, GroupEvaluator};
use crate::alert::AlertBook;
use crate::promql::{QueryOptions, Selections};
use crate::rule::{CheckedGroup, RuleSet};
use crate::store::SampleStore;

/// Evaluates all groups of a rule set at the same times: for tests, and to play recorded series. A host's engine evaluates
/// each group at its own interval.
#[derive(Debug)]
pub struct RuleEvaluator {
    groups: Vec<GroupEvaluator>,
}

impl RuleEvaluator {
    /// An evaluator of `rules` that has no alerts yet.
    #[must_use]
    pub fn new(rules: &RuleSet, options: &QueryOptions) -> Self {
        let selections = Selections::default();
        let open = |group: &CheckedGroup| GroupEvaluator::new(group.clone(), options.clone(), &selections);
        let groups = rules.checked().iter().map(open);
        Self { groups: groups.collect() }
    }

    /// Evaluates all rules at `now`.
    pub fn evaluate(&mut self, store: &RwLock<SampleStore>, now: DateTime<Utc>) -> Evaluation {
        let mut all = Evaluation::default();
        for group in &mut self.groups {
            let Evaluation { transitions, reports } = group.evaluate(store, now);
            all.transitions.extend(transitions);
            all.reports.extend(reports);
        }
        all
    }

    /// All alerts as they stand.
    #[must_use]
    pub fn book(&self) -> AlertBook {
        let mut book = AlertBook::default();
        for group in &self.groups {
            group.enter(&mut book);
        }
        book
    }
}
