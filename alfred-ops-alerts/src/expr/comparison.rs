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
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }
}
