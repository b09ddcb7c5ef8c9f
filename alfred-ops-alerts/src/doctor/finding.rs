//! Something that is wrong with a rule.

use std::fmt;

use crate::promql::Position;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; it may be as meant.
    Note,
    /// The rule says something else than it seems to.
    Misleading,
    /// The rule cannot fire.
    Fatal,
}

/// What is wrong with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// Nobody exports the metric.
    MissingMetric,
    /// No series of the metric has the label.
    MissingLabel,
    /// No series of the metric has the label's value.
    MissingValue,
    /// The two sides of an operator never share their labels.
    SidesNeverMatch,
    /// `rate` and its like of something that is no counter.
    RateOfGauge,
    /// A range too short to hold two samples.
    RangeTooShort,
    /// A sum, mean or extreme of samples that are all zero, compared with something else.
    SumOfZeros,
    /// A divisor that is zero makes the ratio infinite.
    InfiniteRatio,
    /// A limit that reads like a share stands beside a rate per second.
    PercentageOfRate,
    /// `for` is longer than the series live.
    ForTooLong,
    /// The buckets of a histogram lost their bounds.
    BoundsLost,
    /// A quantile that is not between 0 and 1.
    QuantileOutOfRange,
    /// The expression cannot be evaluated on these series.
    Failing,
}

/// Something that is wrong with a rule, where, and what to write instead.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// How bad it is.
    pub severity: Severity,
    /// Where in the expression.
    pub position: Position,
    /// What is wrong, in a sentence.
    pub text: String,
    /// The whole expression as it should be, where that can be told.
    pub corrected: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.text)?;
        match &self.corrected {
            Some(corrected) => write!(f, "; write: {corrected}"),
            None => Ok(()),
        }
    }
}
