//! How a rule's queries are answered.

use std::cell::RefCell;
use std::sync::{PoisonError, RwLock};

use alfred_ops_core::{Error, ErrorKind, Labels, Result, Sample};

use super::answers::Answers;
use super::run::number;
use crate::promql::{Annotations, Answer, Query, QueryOptions, QueryPlan, Value};
use crate::rule::{Home, OwnMetrics};
use crate::store::SampleStore;

/// How a rule's queries are answered: by the store, or by what a source has answered before.
pub(super) struct Asking<'a> {
    pub(super) store: &'a RwLock<SampleStore>,
    pub(super) options: &'a QueryOptions,
    /// As of when, in milliseconds since 1970.
    pub(super) millis: i64,
    /// What the group's source has answered, if it is asked.
    pub(super) source: Option<(&'a Answers, &'a OwnMetrics)>,
    /// Whether the rule is only rehearsed, to find out what is to be asked.
    pub(super) rehearsal: bool,
    /// What the source has not been asked yet.
    pub(super) missing: RefCell<Vec<String>>,
}

impl Asking<'_> {
    /// What a rule's own query comes to, which is at home in `home`.
    pub(super) fn ask(&self, home: Home, query: &Query, plan: &mut QueryPlan) -> Result<Answer> {
        match (home, self.source) {
            (Home::There, Some((answers, _))) => {
                if answers.wants(query.text()) {
                    self.missing.borrow_mut().push(query.text().to_owned());
                }
                answers.get(query.text())
            }
            _ => {
                let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
                Ok(plan.instant(&*store, self.millis, self.options)?)
            }
        }
    }

    /// What a template's `query` comes to, as of the rule's own time.
    pub(super) fn ask_for_template(&self, text: &str) -> Result<Vec<Sample>> {
        match self.template_answer(text)?.value {
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

    fn template_answer(&self, text: &str) -> Result<Answer> {
        let query = Query::parse(text)?;
        if let Some((answers, own_metrics)) = self.source {
            match own_metrics.home(&query) {
                Ok(Home::Here) => {}
                // A rehearsal goes on, so that one round finds all queries that do not depend on answers.
                Ok(Home::There) if self.rehearsal && answers.wants(text) => {
                    self.missing.borrow_mut().push(text.to_owned());
                    let value = Value::Vector(Vec::new());
                    return Ok(Answer { value, annotations: Annotations::default() });
                }
                Ok(Home::There) => return answers.get(text),
                Err(sides) => {
                    let problem = sides.problem("of the group");
                    return Err(Error::new(ErrorKind::InvalidInput, "evaluate query", problem));
                }
            }
        }
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        Ok(query.instant(&*store, self.millis, self.options)?)
    }
}
