//! Many readings into one.

/// How the readings of a group become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Aggregation {
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The largest; NaN only if all are.
    Max,
    /// The smallest; NaN only if all are.
    Min,
    /// How many there are.
    Count,
}

impl Aggregation {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Max => "max",
            Self::Min => "min",
            Self::Count => "count",
        }
    }
}
