//! Evaluates groups that are asked of a source.

use std::sync::{Arc, PoisonError};

use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};

use super::AlertEngine;
use super::alert_engine::log_changes;
use super::group::Group;
use super::remote::{Remote, Term};
use crate::alert::{RuleReport, Transition};
use crate::evaluation::{Answers, Evaluation, Progress, ROUNDS_MAX};
use crate::explain::Explanation;

/// What a group's source has answered for an evaluation.
#[derive(Debug)]
pub(super) struct Asked {
    remote: Arc<Remote>,
    now: DateTime<Utc>,
    term: Term,
    answers: Answers,
}

impl AlertEngine {
    /// Evaluates all groups at `now` as [`evaluate_once`](Self::evaluate_once) does, those with a
    /// [source](crate::RuleGroup::source) included: the sources are asked all at once, then groups are evaluated in their
    /// order.
    ///
    /// It takes as long as the slowest source, at most the longest interval of a group.
    pub async fn evaluate(&self, now: DateTime<Utc>) -> Vec<Transition> {
        self.expire(now);
        let groups = self.parts().groups.list();
        let asked = groups.iter().map(|group| self.ask_source(group, now));
        let asked = futures::future::join_all(asked).await;
        let mut transitions = Vec::new();
        for (group, asked) in groups.iter().zip(asked) {
            transitions.extend(match asked {
                Some(asked) => self.evaluate_asked(group, asked).await,
                None => self.evaluate_rules(group, now),
            });
        }
        self.finish_evaluation(now, now, transitions)
    }

    /// Explains as [`explain`](Self::explain) does, and asks sources what the parts come to of rules that they answer: some
    /// queries for each part, at most a thousand, within the group's interval.
    pub async fn explain_by_asking(
        &self,
        name: &str,
        about: &Labels,
        now: DateTime<Utc>,
    ) -> Vec<Explanation> {
        let clock = &self.parts().clock;
        let mut all = Vec::new();
        for group in self.parts().groups.list() {
            let Some(remote) = &group.source else {
                all.extend(self.explain_with(&group, name, about, &Answers::new("", 0), now).0);
                continue;
            };
            let mut answers = Answers::new(remote.name(), 0);
            // One round finds all parts.
            let (_, questions) = self.explain_with(&group, name, about, &answers, now);
            let deadline = clock.monotonic().saturating_add(group.interval);
            let at = group.with(|evaluator| evaluator.asked_at(now)).unwrap_or(now);
            remote.ask_all(questions, Term { at, deadline }, clock, &mut answers).await;
            all.extend(self.explain_with(&group, name, about, &answers, now).0);
        }
        all
    }

    fn explain_with(
        &self,
        group: &Group,
        name: &str,
        about: &Labels,
        answers: &Answers,
        now: DateTime<Utc>,
    ) -> (Vec<Explanation>, Vec<String>) {
        let store = self.store().read().unwrap_or_else(PoisonError::into_inner);
        let explained = group.with(|evaluator| evaluator.explain_with(name, about, (&store, answers), now));
        explained.unwrap_or_default()
    }

    /// Asks a group's source what its rules at `now` need, as far as that can be told before any is evaluated; `None` for a
    /// group without a source.
    pub(super) async fn ask_source(&self, group: &Group, now: DateTime<Utc>) -> Option<Asked> {
        let remote = Arc::clone(group.source.as_ref()?);
        let clock = &self.parts().clock;
        let deadline = clock.monotonic().saturating_add(group.interval);
        let (at, rules) = group.with(|evaluator| (evaluator.asked_at(now), evaluator.group().rules.len()))?;
        let mut asked =
            Asked { answers: Answers::new(remote.name(), rules), remote, now, term: Term { at, deadline } };
        for _ in 0..ROUNDS_MAX {
            let questions = group.with(|evaluator| evaluator.questions(self.store(), now, &asked.answers))?;
            if questions.is_empty() {
                break;
            }
            asked.remote.ask_all(questions, asked.term, clock, &mut asked.answers).await;
        }
        Some(asked)
    }

    /// Evaluates a group with what its source has answered, and asks it what turns up meanwhile.
    pub(super) async fn evaluate_asked(&self, group: &Group, mut asked: Asked) -> Vec<Transition> {
        let before: Option<Vec<RuleReport>> = group.with(|evaluator| evaluator.reports().cloned().collect());
        let mut progress = Progress::default();
        while let Some(questions) =
            group.with(|evaluator| evaluator.advance(&mut progress, self.store(), asked.now, &asked.answers))
            && !questions.is_empty()
        {
            asked.remote.ask_all(questions, asked.term, &self.parts().clock, &mut asked.answers).await;
        }
        let Evaluation { transitions, reports } = progress.evaluation;
        log_changes(&transitions, &before.unwrap_or_default(), &reports);
        transitions
    }
}
