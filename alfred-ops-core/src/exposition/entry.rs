//! What stands on a page.

use std::borrow::Cow;

use super::{FamilyKind, Series};

/// What a line of a page says, borrowed from the page.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Entry<'t> {
    /// A value of a series.
    Sample(SampleEntry<'t>),
    /// A `# TYPE` line.
    Kind {
        /// The metric's name, without `_bucket` and the like; in `OpenMetrics` without `_total` too.
        name: Cow<'t, str>,
        /// What kind it is declared to be.
        kind: FamilyKind,
    },
    /// A `# HELP` line.
    Help {
        /// The metric's name, as in [`Entry::Kind`].
        name: Cow<'t, str>,
        /// Its explanation, unescaped.
        help: Cow<'t, str>,
    },
    /// A `# UNIT` line, which only `OpenMetrics` has.
    Unit {
        /// The metric's name, as in [`Entry::Kind`].
        name: Cow<'t, str>,
        /// Its unit, with which the name ends; may be empty.
        unit: &'t str,
    },
}

/// A value of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SampleEntry<'t> {
    /// The series, not decoded yet.
    pub series: Series<'t>,
    /// The value; NaN and the infinities are values like any other.
    pub value: f64,
    /// When the value was true, in milliseconds since 1970, if the page says so.
    pub timestamp_ms: Option<i64>,
    /// An example of what was counted.
    pub exemplar: Option<ExemplarEntry<'t>>,
}

/// An example of what a sample has counted: a trace, as a rule.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ExemplarEntry<'t> {
    /// Its labels, not decoded yet; it has no name.
    pub labels: Series<'t>,
    /// The value that was observed.
    pub value: f64,
    /// When it was observed, in milliseconds since 1970, if the page says so.
    pub timestamp_ms: Option<i64>,
}
