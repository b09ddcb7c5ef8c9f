//! Explains the rules of a group.

use alfred_ops_core::{ErrorKind, Labels};
use chrono::{DateTime, Utc};

use super::GroupEvaluator;
use super::answers::Answers;
use super::rehearsing::distinct;
use super::source_oracle::SourceOracle;
use crate::alert::{RuleHealth, RuleReport};
use crate::explain::{Explanation, explain, explain_by};
use crate::promql::QueryError;
use crate::rule::{CheckedRule, Home};
use crate::store::SampleStore;

impl GroupEvaluator {
    /// Explains the rules named `name`; of those that the group's source answers only how they fared at the last
    /// evaluation.
    pub(crate) fn explain(
        &self,
        name: &str,
        about: &Labels,
        store: &SampleStore,
        now: DateTime<Utc>,
    ) -> Vec<Explanation> {
        let at = self.asked_at(now);
        let named = self.checked.rules.iter().zip(&self.states).filter(|(rule, _)| rule.name == name);
        let explained = named.map(|(rule, state)| match &self.checked.group.source {
            Some(source) if rule.home == Home::There => told(rule, &state.report, source),
            _ => explain(&rule.query, store, at, about, &self.options),
        });
        explained.collect()
    }

    /// The same with what the group's source has answered, and what it is still to be asked for it.
    pub(crate) fn explain_with(
        &self,
        name: &str,
        about: &Labels,
        (store, answers): (&SampleStore, &Answers),
        now: DateTime<Utc>,
    ) -> (Vec<Explanation>, Vec<String>) {
        let oracle = SourceOracle::new(answers);
        let mut explained = self.explain(name, about, store, now);
        let named = self.checked.rules.iter().filter(|rule| rule.name == name);
        for (rule, explanation) in named.zip(&mut explained).filter(|(rule, _)| rule.home == Home::There) {
            *explanation = explain_by(&rule.query, &oracle, about);
            explanation.source.clone_from(&self.checked.group.source);
        }
        (explained, distinct(oracle.into_missing(), answers))
    }
}

/// What is known of a rule that a source answers without asking it.
fn told(rule: &CheckedRule, report: &RuleReport, source: &str) -> Explanation {
    let (samples, error) = match &report.health {
        RuleHealth::Good { samples } => (*samples, None),
        RuleHealth::Failed(error) => (0, Some(QueryError::elsewhere(error.kind(), error.full()))),
        RuleHealth::Unknown => {
            (0, Some(QueryError::elsewhere(ErrorKind::Unavailable, "it has not been evaluated yet")))
        }
    };
    Explanation {
        text: rule.query.text().to_owned(),
        samples,
        examples: Vec::new(),
        error,
        insight: None,
        parts: Vec::new(),
        source: Some(source.to_owned()),
    }
}
