//! How much a store may hold.

/// How much a store may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreLimits {
    /// Series held at once. Beyond it new series are refused and counted; known series go on.
    pub series_max: usize,
    /// Bytes held at once, labels and index included. Beyond it first new series are refused, then the series with
    /// the most samples give up the older half of them, so that rules over short ranges go on longest; both are
    /// counted.
    pub bytes_max: usize,
}

impl Default for StoreLimits {
    /// A hundred thousand series and 128 MiB.
    fn default() -> Self {
        Self { series_max: 100_000, bytes_max: 128 << 20 }
    }
}

impl StoreLimits {
    /// Sets how many series are held at once.
    #[must_use]
    pub const fn with_series_max(mut self, series_max: usize) -> Self {
        self.series_max = series_max;
        self
    }

    /// Sets how many bytes are held at once.
    #[must_use]
    pub const fn with_bytes_max(mut self, bytes_max: usize) -> Self {
        self.bytes_max = bytes_max;
        self
    }
}
