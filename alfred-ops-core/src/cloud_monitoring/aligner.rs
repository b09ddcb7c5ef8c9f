//! What is made of the points of a series within a period.

use google_cloud_monitoring_v3::model::aggregation::Aligner as Wire;

/// What Cloud Monitoring makes of a series' points within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Aligner {
    /// The change per second, of deltas and cumulative metrics.
    Rate,
    /// The change within the period, of deltas and cumulative metrics. Of distributions too.
    Delta,
    /// The last point.
    Latest,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// The mean.
    Mean,
    /// The sum.
    Sum,
    /// How many points there are.
    Count,
    /// The 99th percentile of a distribution.
    Percentile99,
    /// The 95th percentile of a distribution.
    Percentile95,
    /// The median of a distribution.
    Percentile50,
}

impl Aligner {
    pub(super) const fn wire(self) -> Wire {
        match self {
            Self::Rate => Wire::AlignRate,
            Self::Delta => Wire::AlignDelta,
            Self::Latest => Wire::AlignNextOlder,
            Self::Min => Wire::AlignMin,
            Self::Max => Wire::AlignMax,
            Self::Mean => Wire::AlignMean,
            Self::Sum => Wire::AlignSum,
            Self::Count => Wire::AlignCount,
            Self::Percentile99 => Wire::AlignPercentile99,
            Self::Percentile95 => Wire::AlignPercentile95,
            Self::Percentile50 => Wire::AlignPercentile50,
        }
    }
}
