//! What a healthy metric is.

/// What a healthy metric is: of a candidate beside the stable revision, or of the platform after a change.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum MetricCondition {
    /// At most this, such as errors per request.
    AtMost(f64),
    /// At least this, such as the share of requests that were answered in time.
    AtLeast(f64),
    /// At most so many times the stable revision's, or at most `or` where that is more, or where the stable revision has no
    /// samples, as when it has no traffic.
    AtMostTimes {
        /// So many times.
        times: f64,
        /// What is always good enough.
        or: f64,
    },
}

impl MetricCondition {
    pub(super) fn is_finite(self) -> bool {
        match self {
            Self::AtMost(limit) | Self::AtLeast(limit) => limit.is_finite(),
            Self::AtMostTimes { times, or } => times.is_finite() && or.is_finite(),
        }
    }

    /// The value that is farthest from healthy.
    pub(super) fn worst(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        match self {
            Self::AtLeast(_) => values.reduce(f64::min),
            Self::AtMost(_) | Self::AtMostTimes { .. } => values.reduce(f64::max),
        }
    }

    /// What is wrong with a value, where the stable revision's is `stable`. NaN is never healthy.
    pub(crate) fn fault(self, value: f64, stable: Option<f64>) -> Option<String> {
        let (is_healthy, side, limit) = match self {
            Self::AtLeast(limit) => (value >= limit, "least", limit),
            Self::AtMost(limit) => (value <= limit, "most", limit),
            Self::AtMostTimes { times, or } => {
                let limit = stable.map_or(or, |stable| or.max(stable * times));
                (value <= limit, "most", limit)
            }
        };
        (!is_healthy).then(|| format!("{value}, and at {side} {limit} is healthy"))
    }
}
