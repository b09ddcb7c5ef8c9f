//! A query.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::ast::{Node, ValueType};
use super::eval::{QueryPlan, Selections};
use super::{Answer, QueryError, QueryOptions, SeriesSource, syntax};

/// A PromQL query, read and checked.
///
/// ```
/// use alfred_ops_alerts::promql::Query;
///
/// let query: Query = "sum by (job) (rate(http_requests_total[5m])) > 10".parse()?;
/// assert!(query.root().children().len() == 2);
///
/// let error = "sum by (job) (rte(http_requests_total[5m]))".parse::<Query>().unwrap_err();
/// assert_eq!(error.to_string(), "1:15: unknown function with name \"rte\"");
/// assert_eq!(error.hint(), Some("did you mean rate?"));
/// # Ok::<(), alfred_ops_alerts::promql::QueryError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Query {
    text: Arc<str>,
    root: Arc<Node>,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// What is wrong with it, where, and how to write it instead.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Ok(Self { text: Arc::from(text), root: Arc::new(syntax::parse(text)?) })
    }

    /// The query as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The query as a tree.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// What kind of value it has.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.root.value_type()
    }

    /// Prepares it for repeated evaluation.
    #[must_use]
    pub fn plan(&self) -> QueryPlan {
        QueryPlan::new(Arc::clone(&self.text), &self.root)
    }

    /// The same, sharing what selectors mean with others of the same `selections`.
    pub(crate) fn plan_sharing(&self, selections: &Selections) -> QueryPlan {
        QueryPlan::sharing(Arc::clone(&self.text), &self.root, selections)
    }

    /// Evaluates it once at `at`, milliseconds since 1970.
    ///
    /// # Errors
    /// Those of [`QueryPlan::instant`].
    pub fn instant(
        &self,
        source: &dyn SeriesSource,
        at: i64,
        options: &QueryOptions,
    ) -> Result<Answer, QueryError> {
        self.plan().instant(source, at, options)
    }

    /// Evaluates it over a range: start, end and step in milliseconds.
    ///
    /// # Errors
    /// Those of [`QueryPlan::range`].
    pub fn range(
        &self,
        source: &dyn SeriesSource,
        range: (i64, i64, i64),
        options: &QueryOptions,
    ) -> Result<Answer, QueryError> {
        self.plan().range(source, range, options)
    }
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Query {}

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::parse(text)
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
