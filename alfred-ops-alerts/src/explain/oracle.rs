//! Who knows what the parts of an expression come to.

use super::Insight;
use crate::promql::ast::{Node, Selector};
use crate::promql::{QueryError, QueryOptions, QueryPlan, SeriesSource, Value};

/// Knows what the parts of an expression come to.
pub(crate) trait Oracle {
    /// What a part of the query `text` comes to.
    fn value(&self, text: &str, node: &Node) -> Result<Value, QueryError>;

    /// How many series meet the conditions of a selector.
    fn selector(&self, selector: &Selector) -> Insight;
}

/// Evaluates parts over series.
pub(super) struct SeriesOracle<'a> {
    pub(super) source: &'a dyn SeriesSource,
    pub(super) millis: i64,
    pub(super) options: &'a QueryOptions,
}

impl Oracle for SeriesOracle<'_> {
    fn value(&self, text: &str, node: &Node) -> Result<Value, QueryError> {
        let mut plan = QueryPlan::new(text.into(), node);
        plan.instant(self.source, self.millis, self.options).map(|answer| answer.value)
    }

    fn selector(&self, selector: &Selector) -> Insight {
        let alone = |matcher| self.source.select(std::slice::from_ref(matcher)).len();
        let matchers = selector.matchers.iter().map(|matcher| (matcher.to_string(), alone(matcher)));
        Insight::Selector {
            matchers: matchers.collect(),
            series: self.source.select(&selector.matchers).len(),
        }
    }
}
