//! What a source has answered.

use std::collections::HashMap;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result};

use crate::promql::Answer;

/// How many queries templates and resolutions may ask for in one evaluation of a group: a fleet's server answers so many
/// within a minute.
const FURTHER_QUESTIONS_MAX: usize = 1000;
/// How often queries of templates may lead to further ones: each time all are rendered again.
pub(crate) const ROUNDS_MAX: usize = 16;

/// What a source has answered, each query as of one time.
#[derive(Debug)]
pub(crate) struct Answers {
    source: String,
    by_query: HashMap<String, Result<Answer, Arc<Error>>>,
    questions_max: usize,
}

impl Answers {
    /// No answers yet of a source, to what so many rules ask.
    pub(crate) fn new(source: &str, rules: usize) -> Self {
        let questions_max = rules.saturating_add(FURTHER_QUESTIONS_MAX);
        Self { source: source.to_owned(), by_query: HashMap::new(), questions_max }
    }

    /// Takes an answer, or why there is none.
    pub(crate) fn put(&mut self, query: String, answer: Result<Answer>) {
        self.by_query.insert(query, answer.map_err(Arc::new));
    }

    /// Whether `query` is still to be asked.
    pub(super) fn wants(&self, query: &str) -> bool {
        !self.by_query.contains_key(query) && self.by_query.len() < self.questions_max
    }

    /// How many more queries may be asked.
    pub(super) fn room(&self) -> usize {
        self.questions_max.saturating_sub(self.by_query.len())
    }

    /// What `query` came to.
    pub(super) fn get(&self, query: &str) -> Result<Answer> {
        let fail = |kind, message: String| Error::new(kind, "evaluate rule", message);
        match self.by_query.get(query) {
            Some(Ok(answer)) => Ok(answer.clone()),
            Some(Err(error)) => {
                let message = format!("the source {:?} has no answer", self.source);
                Err(fail(error.kind(), message).with_retry(error.retry()).with_source(Arc::clone(error)))
            }
            None => {
                let message = format!(
                    "the source {:?} was not asked: templates ask for more than {FURTHER_QUESTIONS_MAX} queries, or more \
                     than {ROUNDS_MAX} times for what depends on answers",
                    self.source
                );
                Err(fail(ErrorKind::ResourceExhausted, message)
                    .with_remedy("let the expression find what templates tell"))
            }
        }
    }
}
