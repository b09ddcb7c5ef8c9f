//! Which series, when.

use super::{DurationExpr, Matcher};

/// A moment that a query names instead of the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// Milliseconds since 1970.
    Time(i64),
    /// The beginning of the query's range.
    Start,
    /// Its end.
    End,
}

/// `offset` and `@`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TimeShift {
    /// How far back; negative for the future.
    pub offset: Option<DurationExpr>,
    /// The moment.
    pub at: Option<At>,
}

/// How values at the edges of a range are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Boundary {
    /// Only samples within the range count.
    #[default]
    Plain,
    /// `anchored`: the last sample before the range stands at its beginning.
    Anchored,
    /// `smoothed`: values at both edges are interpolated.
    Smoothed,
}

/// Which series, when.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selector {
    /// All conditions, the one on the name among them.
    pub matchers: Vec<Matcher>,
    /// When.
    pub shift: TimeShift,
    /// How values at the edges are found.
    pub boundary: Boundary,
}

impl Selector {
    /// The metric name, if it is a fixed one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.matchers.iter().find_map(|matcher| matcher.equal_to(alfred_ops_core::Labels::NAME))
    }
}
