//! What a page says about a metric.

/// What kind of metric a page declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FamilyKind {
    /// Only grows, or starts again from zero.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
    /// Reports quantiles.
    Summary,
    /// Not declared.
    #[default]
    Untyped,
}

impl FamilyKind {
    /// The word of the text format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Untyped => "untyped",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Counter, Self::Gauge, Self::Histogram, Self::Summary, Self::Untyped]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// What a page says about a metric in its `# HELP` and `# TYPE` lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Family {
    /// The metric's name, without `_bucket` and the like.
    pub name: String,
    /// What kind it is declared to be.
    pub kind: FamilyKind,
    /// Its explanation, unescaped; empty if there is none.
    pub help: String,
}
