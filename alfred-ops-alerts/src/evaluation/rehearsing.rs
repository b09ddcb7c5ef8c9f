//! Finds out what a group's source is to be asked, and evaluates with what it has answered.

use std::sync::RwLock;

use chrono::{DateTime, Utc};

use super::GroupEvaluator;
use super::answers::{Answers, ROUNDS_MAX};
use super::progress::Progress;
use super::rule_state::RuleState;
use super::run::Run;
use crate::rule::{CheckedRule, Home};
use crate::store::SampleStore;

impl GroupEvaluator {
    /// What the group's source is to be asked for the rules that it answers, beyond `answers`: first their expressions,
    /// then what those lead to. Changes nothing.
    pub(crate) fn questions(
        &mut self,
        store: &RwLock<SampleStore>,
        now: DateTime<Utc>,
        answers: &Answers,
    ) -> Vec<String> {
        let there = |(_, rule): &(usize, &CheckedRule)| rule.home == Home::There;
        let places: Vec<usize> =
            self.checked.rules.iter().enumerate().filter(there).map(|(place, _)| place).collect();
        let mut questions = Vec::new();
        for place in places {
            let (run, state) = self.rehearsal(place, store, now, answers);
            questions.extend(run.questions(state));
        }
        distinct(questions, answers)
    }

    /// Goes on evaluating the rules at `now`, as [`evaluate`](Self::evaluate) does, with what the group's source has
    /// answered. Returns what is to be asked of it before the next rule, nothing at the end.
    ///
    /// A rule of which the source has not answered all, and may not be asked more, counts as one that cannot be evaluated.
    pub(crate) fn advance(
        &mut self,
        progress: &mut Progress,
        store: &RwLock<SampleStore>,
        now: DateTime<Utc>,
        answers: &Answers,
    ) -> Vec<String> {
        while progress.rules < self.states.len() {
            let (run, state) = self.rehearsal(progress.rules, store, now, answers);
            let questions = distinct(run.questions(state), answers);
            if !questions.is_empty() && progress.rounds < ROUNDS_MAX {
                progress.rounds += 1;
                return questions;
            }
            self.evaluate_rule(progress.rules, store, now, Some(answers), &mut progress.evaluation);
            (progress.rules, progress.rounds) = (progress.rules + 1, 0);
        }
        Vec::new()
    }

    fn rehearsal<'e>(
        &'e mut self,
        place: usize,
        store: &'e RwLock<SampleStore>,
        now: DateTime<Utc>,
        answers: &'e Answers,
    ) -> (Run<'e>, &'e mut RuleState) {
        let (mut run, state) = self.run(place, store, now, Some(answers));
        run.asking.rehearsal = true;
        (run, state)
    }
}

/// Each question once, and no more than may be asked.
pub(super) fn distinct(mut questions: Vec<String>, answers: &Answers) -> Vec<String> {
    questions.sort_unstable();
    questions.dedup();
    questions.truncate(answers.room());
    questions
}
