//! What a page says about a metric.

use super::Format;

/// What kind of metric a page declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum FamilyKind {
    /// Only grows, or starts again from zero.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
    /// Counts in buckets what is there now, in `OpenMetrics`.
    GaugeHistogram,
    /// Reports quantiles.
    Summary,
    /// Says something that does not change, in labels; the value is 1; in `OpenMetrics`.
    Info,
    /// States of which some hold, each a series of value 0 or 1; in `OpenMetrics`.
    StateSet,
    /// Not declared, or declared to be of no known kind.
    #[default]
    Untyped,
}

const KINDS: [FamilyKind; 8] = [
    FamilyKind::Counter,
    FamilyKind::Gauge,
    FamilyKind::Histogram,
    FamilyKind::GaugeHistogram,
    FamilyKind::Summary,
    FamilyKind::Info,
    FamilyKind::StateSet,
    FamilyKind::Untyped,
];

impl FamilyKind {
    /// Its word in a format; of kinds that Prometheus' format lacks, the nearest it has.
    #[must_use]
    pub const fn name(self, format: Format) -> &'static str {
        match (self, format) {
            (Self::Counter, _) => "counter",
            (Self::Histogram, _) | (Self::GaugeHistogram, Format::Text) => "histogram",
            (Self::GaugeHistogram, Format::OpenMetrics) => "gaugehistogram",
            (Self::Summary, _) => "summary",
            (Self::Info, Format::OpenMetrics) => "info",
            (Self::StateSet, Format::OpenMetrics) => "stateset",
            (Self::Gauge, _) | (Self::Info | Self::StateSet, Format::Text) => "gauge",
            (Self::Untyped, Format::Text) => "untyped",
            (Self::Untyped, Format::OpenMetrics) => "unknown",
        }
    }

    /// The kind of that word. Where several share one, the first that has it for its own.
    pub(super) fn from_name(name: &str, format: Format) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.name(format) == name)
    }

    /// The words of a format, for errors.
    pub(super) const fn known(format: Format) -> &'static str {
        match format {
            Format::Text => "counter, gauge, histogram, summary, untyped",
            Format::OpenMetrics => {
                "counter, gauge, histogram, gaugehistogram, summary, info, stateset, unknown"
            }
        }
    }

    /// What may follow a family's name in the names of its samples.
    pub(super) const fn suffixes(self, format: Format) -> &'static [&'static str] {
        match (self, format) {
            (Self::Counter, Format::OpenMetrics) => &["_total", "_created"],
            (Self::Histogram, Format::Text) => &["_bucket", "_count", "_sum"],
            (Self::Histogram, Format::OpenMetrics) => &["_bucket", "_count", "_sum", "_created"],
            (Self::GaugeHistogram, Format::Text) => &["_bucket"],
            (Self::GaugeHistogram, Format::OpenMetrics) => &["_bucket", "_gcount", "_gsum"],
            (Self::Summary, Format::Text) => &["", "_count", "_sum"],
            (Self::Summary, Format::OpenMetrics) => &["", "_count", "_sum", "_created"],
            (Self::Info, Format::OpenMetrics) => &["_info"],
            _ => &[""],
        }
    }
}

/// What a page says about a metric in its `# HELP`, `# TYPE` and `# UNIT` lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Family {
    /// The metric's name, without `_bucket` and the like; in `OpenMetrics` without `_total` too.
    pub name: String,
    /// What kind it is declared to be.
    pub kind: FamilyKind,
    /// Its explanation, unescaped; empty if there is none.
    pub help: String,
    /// Its unit, with which the name ends; empty if there is none.
    pub unit: String,
}
