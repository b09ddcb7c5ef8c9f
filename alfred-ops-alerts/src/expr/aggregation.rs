//! Many readings into one.

use std::collections::BTreeMap;

use alfred_ops_core::Labels;

use super::Reading;

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
    /// One reading for each combination of values of the labels `by`.
    pub(super) fn apply(self, by: &[String], readings: Vec<Reading>) -> Vec<Reading> {
        let mut groups: BTreeMap<Labels, Vec<f64>> = BTreeMap::new();
        for reading in readings {
            groups.entry(reading.only(by)).or_default().push(reading.value);
        }
        groups.into_iter().map(|(labels, values)| Reading { labels, value: self.of(&values) }).collect()
    }

    fn of(self, values: &[f64]) -> f64 {
        let count = || values.iter().map(|_| 1.0).sum::<f64>();
        match self {
            Self::Sum => values.iter().sum(),
            Self::Avg => values.iter().sum::<f64>() / count(),
            Self::Max => values.iter().copied().fold(f64::NAN, f64::max),
            Self::Min => values.iter().copied().fold(f64::NAN, f64::min),
            Self::Count => count(),
        }
    }
}
