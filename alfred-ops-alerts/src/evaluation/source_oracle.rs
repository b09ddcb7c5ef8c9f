//! What a source says of the parts of an expression.

use std::cell::RefCell;

use alfred_ops_core::Labels;

use super::answers::Answers;
use crate::explain::{Insight, Oracle};
use crate::promql::ast::{Matcher, Node, NodeKind, Selector};
use crate::promql::{QueryError, Value};

/// Knows of the parts of an expression what a source has answered, and what it is still to be asked.
pub(super) struct SourceOracle<'a> {
    answers: &'a Answers,
    missing: RefCell<Vec<String>>,
}

impl<'a> SourceOracle<'a> {
    pub(super) fn new(answers: &'a Answers) -> Self {
        Self { answers, missing: RefCell::default() }
    }

    /// What the source is still to be asked.
    pub(super) fn into_missing(self) -> Vec<String> {
        self.missing.into_inner()
    }

    fn ask(&self, query: String) -> Result<Value, QueryError> {
        let answer = self.answers.get(&query).map(|answer| answer.value);
        if self.answers.wants(&query) {
            self.missing.borrow_mut().push(query);
        }
        answer.map_err(|error| QueryError::elsewhere(error.kind(), error.full()))
    }

    /// How many series meet all these conditions.
    fn count<'m>(&self, matchers: impl Iterator<Item = &'m Matcher>) -> usize {
        let matchers: Vec<String> = matchers.map(Matcher::to_string).collect();
        let count = match self.ask(format!("count({{{}}})", matchers.join(","))) {
            Ok(Value::Vector(samples)) => samples.first().and_then(|sample| sample.value.float()),
            _ => None,
        };
        // Whole and far below 2^52.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count; anything else becomes 0"
        )]
        let count = count.unwrap_or(0.0) as usize;
        count
    }
}

impl Oracle for SourceOracle<'_> {
    fn value(&self, text: &str, node: &Node) -> Result<Value, QueryError> {
        let written = node.span.of(text);
        match node.kind {
            // Of a range the latest samples are shown; the others may be many.
            NodeKind::Range { .. } | NodeKind::Subquery { .. } => {
                self.ask(format!("last_over_time({written})"))
            }
            _ => self.ask(written.to_owned()),
        }
    }

    /// Each condition is counted together with the name: alone it may mean half of a fleet.
    fn selector(&self, selector: &Selector) -> Insight {
        let is_name = |matcher: &&Matcher| matcher.equal_to(Labels::NAME).is_some();
        let name = selector.matchers.iter().find(is_name);
        let others = selector.matchers.iter().filter(|matcher| !is_name(matcher));
        let matchers = name.into_iter().flat_map(|name| {
            let alone = (name.to_string(), self.count(std::iter::once(name)));
            let with = |matcher| (format!("{matcher}"), self.count([name, matcher].into_iter()));
            std::iter::once(alone).chain(others.clone().map(with)).collect::<Vec<_>>()
        });
        let matchers = matchers.collect();
        Insight::Selector { matchers, series: self.count(selector.matchers.iter()) }
    }
}
