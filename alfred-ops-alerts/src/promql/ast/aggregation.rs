//! Aggregations.

/// How the samples of a group become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "PromQL's own names")]
#[non_exhaustive]
pub enum AggregateOp {
    Avg,
    Bottomk,
    Count,
    CountValues,
    Group,
    Limitk,
    LimitRatio,
    Max,
    Min,
    Quantile,
    Stddev,
    Stdvar,
    Sum,
    Topk,
}

impl AggregateOp {
    const ALL: [(Self, &'static str); 14] = [
        (Self::Avg, "avg"),
        (Self::Bottomk, "bottomk"),
        (Self::Count, "count"),
        (Self::CountValues, "count_values"),
        (Self::Group, "group"),
        (Self::Limitk, "limitk"),
        (Self::LimitRatio, "limit_ratio"),
        (Self::Max, "max"),
        (Self::Min, "min"),
        (Self::Quantile, "quantile"),
        (Self::Stddev, "stddev"),
        (Self::Stdvar, "stdvar"),
        (Self::Sum, "sum"),
        (Self::Topk, "topk"),
    ];

    /// The word in a query.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(op, _)| *op == self).map_or("", |(_, name)| name)
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, own)| own.eq_ignore_ascii_case(name)).map(|(op, _)| *op)
    }

    /// Whether the result keeps the samples and labels that it chooses.
    #[must_use]
    pub const fn chooses(self) -> bool {
        matches!(self, Self::Bottomk | Self::Topk | Self::Limitk | Self::LimitRatio)
    }
}

/// By which labels samples are grouped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Grouping {
    /// By these.
    By(Vec<String>),
    /// By all but these.
    Without(Vec<String>),
}

impl Grouping {
    /// The labels that are named.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        match self {
            Self::By(labels) | Self::Without(labels) => labels,
        }
    }
}
