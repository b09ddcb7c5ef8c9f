//! Which series make a signal.

use alfred_ops_core::Sample;
use chrono::{DateTime, Utc};

/// Which series make a signal, and how they become one number.
#[derive(Debug, Clone, PartialEq)]
pub struct Pick {
    metric: String,
    labels: Vec<(String, String)>,
    how: How,
    factor: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Sum,
    Mean,
    Max,
}

impl Pick {
    /// The sum of all series of this metric: of queues in several regions, of counts.
    #[must_use]
    pub fn sum(metric: impl Into<String>) -> Self {
        Self { metric: metric.into(), labels: Vec::new(), how: How::Sum, factor: 1.0 }
    }

    /// Their mean: of shares, one for each instance.
    #[must_use]
    pub fn mean(metric: impl Into<String>) -> Self {
        Self { how: How::Mean, ..Self::sum(metric) }
    }

    /// The largest of them.
    #[must_use]
    pub fn max(metric: impl Into<String>) -> Self {
        Self { how: How::Max, ..Self::sum(metric) }
    }

    /// Only series whose label has this value.
    #[must_use]
    pub fn where_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// The number times a factor: 0.01 for percentages.
    #[must_use]
    pub const fn times(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// The number and how old its oldest part is; none if no series is picked.
    pub(super) fn of(&self, samples: &[Sample]) -> Option<(f64, Option<DateTime<Utc>>)> {
        let (mut count, mut sum, mut most) = (0_u32, 0.0, f64::NEG_INFINITY);
        let mut oldest: Option<DateTime<Utc>> = None;
        for sample in samples.iter().filter(|sample| self.picks(sample)) {
            // One broken part makes the whole unknown, not smaller.
            if sample.value.is_nan() {
                return None;
            }
            count += 1;
            sum += sample.value;
            most = most.max(sample.value);
            oldest = match (oldest, sample.timestamp) {
                (Some(oldest), Some(at)) => Some(oldest.min(at)),
                (oldest, at) => oldest.or(at),
            };
        }
        let value = match self.how {
            _ if count == 0 => return None,
            How::Sum => sum,
            How::Mean => sum / f64::from(count),
            How::Max => most,
        };
        Some((value * self.factor, oldest))
    }

    fn picks(&self, sample: &Sample) -> bool {
        sample.labels.name() == Some(self.metric.as_str())
            && self.labels.iter().all(|(name, value)| sample.labels.get(name) == Some(value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::Labels;

    use super::*;

    fn check(pick: &Pick, expected: Option<f64>) {
        let sample = |zone: &str, value| Sample::new(Labels::metric("m").with("zone", zone), value);
        let samples = [sample("a", 2.0), sample("b", 4.0), sample("broken", f64::NAN)];
        assert_eq!(pick.of(&samples[..2]).map(|(value, _)| value), expected);
        assert_eq!(pick.of(&samples).map(|(value, _)| value), expected.filter(|_| !pick.labels.is_empty()));
    }

    #[test]
    fn series_become_one_number_unless_one_is_broken() {
        check(&Pick::sum("m"), Some(6.0));
        check(&Pick::mean("m"), Some(3.0));
        check(&Pick::max("m").times(10.0), Some(40.0));
        check(&Pick::sum("m").where_label("zone", "a"), Some(2.0));
        check(&Pick::sum("m").where_label("zone", "c"), None);
        check(&Pick::sum("n"), None);
    }
}
