//! One value at one time.

/// One value at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Milliseconds since 1970.
    pub millis: i64,
    /// The value.
    pub value: f64,
}

/// The NaN by which Prometheus marks the end of a series; the same bits, so that stored data agree.
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

impl Point {
    /// The mark that a series ended at `millis`.
    #[must_use]
    pub const fn stale(millis: i64) -> Self {
        Self { millis, value: f64::from_bits(STALE_BITS) }
    }

    /// Whether this marks the end of a series.
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        self.value.to_bits() == STALE_BITS
    }
}
