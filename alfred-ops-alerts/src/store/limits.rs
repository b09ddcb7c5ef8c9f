//! How much a store may hold.

use std::time::Duration;

/// How much a store may hold, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreLimits {
    /// How long samples are kept. Must cover the longest window of any rule.
    pub retention: Duration,
    /// How long a series' latest sample counts as present; the five minutes of Prometheus.
    pub lookback: Duration,
    /// Series held at once. Beyond it new series are refused and counted; known series go on.
    pub series_max: usize,
    /// Samples held at once, sixteen bytes each. Beyond it a series pays for each new sample with its own
    /// oldest one, and a series without any is refused; both are counted.
    pub samples_max: usize,
}

impl Default for StoreLimits {
    /// An hour of a hundred thousand series at most, and 160 MB of samples.
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(60 * 60),
            lookback: Duration::from_secs(5 * 60),
            series_max: 100_000,
            samples_max: 10_000_000,
        }
    }
}

impl StoreLimits {
    /// Sets how long samples are kept.
    #[must_use]
    pub const fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Sets how long a latest sample counts as present.
    #[must_use]
    pub const fn with_lookback(mut self, lookback: Duration) -> Self {
        self.lookback = lookback;
        self
    }

    /// Sets how many series are held at once.
    #[must_use]
    pub const fn with_series_max(mut self, series_max: usize) -> Self {
        self.series_max = series_max;
        self
    }

    /// Sets how many samples are held at once.
    #[must_use]
    pub const fn with_samples_max(mut self, samples_max: usize) -> Self {
        self.samples_max = samples_max;
        self
    }
}
