//! What is made of several series.

use google_cloud_monitoring_v3::model::aggregation::Reducer as Wire;

/// What Cloud Monitoring makes of the aligned values of several series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reducer {
    /// Their sum.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// Their mean.
    Mean,
    /// How many there are.
    Count,
    /// Their 99th percentile; of distributions that of all their observations.
    Percentile99,
    /// Their 95th percentile.
    Percentile95,
    /// Their median.
    Percentile50,
}

impl Reducer {
    pub(super) const fn wire(self) -> Wire {
        match self {
            Self::Sum => Wire::ReduceSum,
            Self::Min => Wire::ReduceMin,
            Self::Max => Wire::ReduceMax,
            Self::Mean => Wire::ReduceMean,
            Self::Count => Wire::ReduceCount,
            Self::Percentile99 => Wire::ReducePercentile99,
            Self::Percentile95 => Wire::ReducePercentile95,
            Self::Percentile50 => Wire::ReducePercentile50,
        }
    }
}
