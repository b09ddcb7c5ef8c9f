//! One bucket.

/// One bucket of a histogram, with its bounds computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Where it begins.
    pub lower: f64,
    /// Where it ends.
    pub upper: f64,
    /// Whether an observation of exactly `lower` falls into it.
    pub lower_inclusive: bool,
    /// Whether an observation of exactly `upper` falls into it.
    pub upper_inclusive: bool,
    /// How many observations it counts.
    pub count: f64,
}
