//! What a rule computes.

use std::time::Duration;

use super::{Aggregation, Arithmetic, Comparison};
use crate::store::Selector;

/// What a rule computes: for each series or group that meets its comparisons one reading, which is an alert.
///
/// The meaning of every part is that of its PromQL counterpart. Built from a [`Selector`] by methods:
///
/// ```
/// use std::time::Duration;
/// use alfred_ops_alerts::{Expr, Selector};
///
/// let minutes = Duration::from_secs(300);
/// // sum by (job) (rate(tasks_errors_total[5m])) / sum by (job) (rate(tasks_processed_total[5m])) > 0.1
/// let errors = Expr::rate(Selector::metric("tasks_errors_total"), minutes).sum_by(["job"]);
/// let processed = Expr::rate(Selector::metric("tasks_processed_total"), minutes).sum_by(["job"]);
/// let too_many = errors.divided_by(processed).above(0.1);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Expr {
    /// A number.
    Number(f64),
    /// The present value of each series.
    Latest(Selector),
    /// How fast each counter grows, per second.
    Rate {
        /// The counters.
        selector: Selector,
        /// How far to look back.
        window: Duration,
    },
    /// How much each counter grew.
    Increase {
        /// The counters.
        selector: Selector,
        /// How far to look back.
        window: Duration,
    },
    /// Many readings into one for each group.
    Aggregate {
        /// How.
        aggregation: Aggregation,
        /// The labels that tell groups apart, and that remain.
        by: Vec<String>,
        /// The readings.
        of: Box<Expr>,
    },
    /// A quantile of histograms, from the rates of their buckets.
    HistogramQuantile {
        /// Between 0 and 1.
        quantile: f64,
        /// The buckets, with their label `le`.
        of: Box<Expr>,
    },
    /// Two sides into one, where their labels meet one to one.
    Arithmetic {
        /// What is done.
        operator: Arithmetic,
        /// The left side.
        left: Box<Expr>,
        /// The right side.
        right: Box<Expr>,
        /// The labels by which the sides meet; all but the metric's name if not given.
        on: Option<Vec<String>>,
    },
    /// The readings that compare so with a threshold; the others are left out.
    Compare {
        /// The readings.
        of: Box<Expr>,
        /// How.
        comparison: Comparison,
        /// With what.
        threshold: f64,
    },
    /// The readings of the left side that meet any of the right side.
    And {
        /// The left side, whose values remain.
        left: Box<Expr>,
        /// The right side.
        right: Box<Expr>,
        /// The labels by which the sides meet; all but the metric's name if not given.
        on: Option<Vec<String>>,
    },
    /// One reading of 1, labelled as the selector's equalities say, while no such series is present.
    Absent(Selector),
}

impl Expr {
    /// How fast each counter grows, per second, over the last `window`.
    #[must_use]
    pub const fn rate(selector: Selector, window: Duration) -> Self {
        Self::Rate { selector, window }
    }

    /// How much each counter grew in the last `window`.
    #[must_use]
    pub const fn increase(selector: Selector, window: Duration) -> Self {
        Self::Increase { selector, window }
    }

    /// The sum for each combination of these labels.
    #[must_use]
    pub fn sum_by<L: Into<String>>(self, by: impl IntoIterator<Item = L>) -> Self {
        self.aggregated(Aggregation::Sum, by)
    }

    /// One reading for each combination of these labels.
    #[must_use]
    pub fn aggregated<L: Into<String>>(
        self,
        aggregation: Aggregation,
        by: impl IntoIterator<Item = L>,
    ) -> Self {
        Self::Aggregate { aggregation, by: by.into_iter().map(Into::into).collect(), of: Box::new(self) }
    }

    /// The quantile of the histograms whose bucket rates these are.
    #[must_use]
    pub fn histogram_quantile(self, quantile: f64) -> Self {
        Self::HistogramQuantile { quantile, of: Box::new(self) }
    }

    /// This side and that side computed into one, where all labels are equal.
    #[must_use]
    pub fn combined(self, operator: Arithmetic, right: impl Into<Self>) -> Self {
        Self::Arithmetic { operator, left: Box::new(self), right: Box::new(right.into()), on: None }
    }

    /// This side by that side, where all labels are equal.
    #[must_use]
    pub fn divided_by(self, right: impl Into<Self>) -> Self {
        self.combined(Arithmetic::Divide, right)
    }

    /// The readings above `threshold`.
    #[must_use]
    pub fn above(self, threshold: f64) -> Self {
        self.compared(Comparison::Above, threshold)
    }

    /// The readings below `threshold`.
    #[must_use]
    pub fn below(self, threshold: f64) -> Self {
        self.compared(Comparison::Below, threshold)
    }

    /// The readings that are exactly `threshold`.
    #[must_use]
    pub fn equal_to(self, threshold: f64) -> Self {
        self.compared(Comparison::Equal, threshold)
    }

    /// The readings that compare so with `threshold`.
    #[must_use]
    pub fn compared(self, comparison: Comparison, threshold: f64) -> Self {
        Self::Compare { of: Box::new(self), comparison, threshold }
    }

    /// The readings of this side that meet any of that side with all labels.
    #[must_use]
    pub fn and(self, right: impl Into<Self>) -> Self {
        Self::And { left: Box::new(self), right: Box::new(right.into()), on: None }
    }

    /// What is wrong with this expression whatever the samples are; the longest window goes to `windows`.
    pub(crate) fn check(&self, problems: &mut Vec<String>, windows: &mut Duration) {
        match self {
            Self::Number(_) | Self::Latest(_) | Self::Absent(_) => {}
            Self::Rate { selector, window } | Self::Increase { selector, window } => {
                if window.is_zero() {
                    problems.push(format!("the window over {} is zero", selector.name()));
                }
                *windows = (*windows).max(*window);
            }
            Self::Aggregate { of, .. } => of.check(problems, windows),
            Self::HistogramQuantile { quantile, of } => {
                if !(0.0..=1.0).contains(quantile) {
                    problems.push(format!("the quantile {quantile} is not between 0 and 1"));
                }
                of.check(problems, windows);
            }
            Self::Compare { of, threshold, .. } => {
                if threshold.is_nan() {
                    problems.push("a threshold is NaN, which no value meets".to_owned());
                }
                of.check(problems, windows);
            }
            Self::Arithmetic { left, right, .. } | Self::And { left, right, .. } => {
                left.check(problems, windows);
                right.check(problems, windows);
            }
        }
    }
}

impl From<Selector> for Expr {
    fn from(selector: Selector) -> Self {
        Self::Latest(selector)
    }
}

impl From<f64> for Expr {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}
