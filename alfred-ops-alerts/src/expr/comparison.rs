//! What a number must be.

/// How a number compares with a threshold. NaN meets only [`Comparison::NotEqual`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Comparison {
    /// Above the threshold.
    Above,
    /// At the threshold or above.
    AtLeast,
    /// Below the threshold.
    Below,
    /// At the threshold or below.
    AtMost,
    /// Exactly the threshold.
    Equal,
    /// Anything but the threshold.
    NotEqual,
}

impl Comparison {
    /// Whether `value` compares so with `threshold`.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "equality with a threshold such as `up == 0` is exact by intent")]
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Above => value > threshold,
            Self::AtLeast => value >= threshold,
            Self::Below => value < threshold,
            Self::AtMost => value <= threshold,
            Self::Equal => value == threshold,
            Self::NotEqual => value != threshold,
        }
    }
}
