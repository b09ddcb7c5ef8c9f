//! How queries are evaluated.

use std::time::Duration;

/// How queries are evaluated, and how much they may use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryOptions {
    /// How long a series' latest sample counts as present.
    pub(crate) lookback_millis: i64,
    /// The step of subqueries that name none.
    pub(crate) subquery_step_millis: i64,
    /// Samples that one query may look at.
    pub samples_max: usize,
    /// Steps of a range query or a subquery.
    pub steps_max: usize,
    /// Whether a metric's name is removed at the end only, as Prometheus' feature
    /// `promql-delayed-name-removal` does.
    pub delayed_name_removal: bool,
}

impl Default for QueryOptions {
    /// Those of Prometheus: a lookback of five minutes, 50 million samples, 11,000 steps.
    fn default() -> Self {
        Self {
            lookback_millis: 5 * 60 * 1000,
            subquery_step_millis: 60 * 1000,
            samples_max: 50_000_000,
            steps_max: 11_000,
            delayed_name_removal: false,
        }
    }
}

impl QueryOptions {
    /// Sets how long a series' latest sample counts as present; whole milliseconds.
    #[must_use]
    pub fn with_lookback(mut self, lookback: Duration) -> Self {
        self.lookback_millis = millis(lookback);
        self
    }

    /// Sets the step of subqueries that name none: the interval at which rules are evaluated.
    #[must_use]
    pub fn with_subquery_step(mut self, step: Duration) -> Self {
        self.subquery_step_millis = millis(step);
        self
    }

    /// Sets how many samples one query may look at.
    #[must_use]
    pub const fn with_samples_max(mut self, samples_max: usize) -> Self {
        self.samples_max = samples_max;
        self
    }

    /// Sets how many steps a range query or a subquery may have.
    #[must_use]
    pub const fn with_steps_max(mut self, steps_max: usize) -> Self {
        self.steps_max = steps_max;
        self
    }

    /// Sets whether a metric's name is removed at the end only.
    #[must_use]
    pub const fn with_delayed_name_removal(mut self, delayed: bool) -> Self {
        self.delayed_name_removal = delayed;
        self
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
