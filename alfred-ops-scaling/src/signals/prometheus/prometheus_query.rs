//! What is asked for.

/// One number that is asked for: a query whose answer has one value, such as `sum(queue_depth)`, unless it goes
/// [`by_series`](Self::by_series).
///
/// A server answers with what was last scraped, for up to five minutes after scraping ended, and as if it were of now. So that
/// an old number is not taken for a new one, name what it is made of by [`aged_by`](Self::aged_by).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrometheusQuery {
    /// What the sample is called.
    pub name: String,
    /// The query.
    pub query: String,
    /// The series whose oldest sample says how old the number is.
    pub aged_by: Option<String>,
    /// Whether the answer may have several values.
    pub several: bool,
}

impl PrometheusQuery {
    /// A number called `name`.
    #[must_use]
    pub fn new(name: impl Into<String>, query: impl Into<String>) -> Self {
        Self { name: name.into(), query: query.into(), aged_by: None, several: false }
    }

    /// As old as the oldest sample of these series, such as `queue_depth{job="agents"}`: a second query asks for
    /// `min(timestamp(…))`. A selector only: whatever is worked out is of now.
    #[must_use]
    pub fn aged_by(mut self, selector: impl Into<String>) -> Self {
        self.aged_by = Some(selector.into());
        self
    }

    /// The answer may have several values, up to 1,000, such as of `sum by (revision) (…)`: each is a sample with its labels.
    #[must_use]
    pub fn by_series(mut self) -> Self {
        self.several = true;
        self
    }
}
