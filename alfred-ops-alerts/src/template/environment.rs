//! What a rendering may ask the host for.

use std::fmt;

use alfred_ops_core::{Labels, Result, Sample};
use chrono::{DateTime, Utc};

type Query<'e> = dyn Fn(&str) -> Result<Vec<Sample>> + 'e;

/// What a rendering may ask the host for besides its data: the time, the host's address and labels, and queries.
#[derive(Clone)]
pub struct Environment<'e> {
    now: DateTime<Utc>,
    external_url: &'e str,
    external_labels: Labels,
    query: Option<&'e Query<'e>>,
}

impl<'e> Environment<'e> {
    /// An environment at this time, with no address, no labels, and no queries.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self { now, external_url: "", external_labels: Labels::empty(), query: None }
    }

    /// The address under which people reach the host, for links.
    #[must_use]
    pub fn with_external_url(mut self, url: &'e str) -> Self {
        self.external_url = url;
        self
    }

    /// The labels that tell this host from others.
    #[must_use]
    pub fn with_external_labels(mut self, labels: Labels) -> Self {
        self.external_labels = labels;
        self
    }

    /// Answers `query "…"`. It is called as often as the template asks, and its error fails the rendering.
    #[must_use]
    pub fn with_query(mut self, query: &'e Query<'e>) -> Self {
        self.query = Some(query);
        self
    }

    pub(super) const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    pub(super) const fn external_url(&self) -> &str {
        self.external_url
    }

    pub(super) const fn external_labels(&self) -> &Labels {
        &self.external_labels
    }

    pub(super) fn query(&self, text: &str) -> Result<Vec<Sample>, String> {
        let query = self.query.ok_or_else(|| "queries are not available here".to_owned())?;
        query(text).map_err(|error| error.to_string())
    }
}

impl fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("now", &self.now)
            .field("external_url", &self.external_url)
            .field("external_labels", &self.external_labels)
            .field("query", &self.query.is_some())
            .finish()
    }
}
