//! The formats of pages.

use std::fmt;

/// A text format in which metrics are exposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Format {
    /// Prometheus' text format: versions 0.0.4 and 1.0.0, which differ only in that the latter announces quoted
    /// names. Both are read with them. Timestamps are whole milliseconds.
    #[default]
    Text,
    /// `OpenMetrics` 1.0, and 0.0.1, its draft. Timestamps are seconds, blanks are single spaces, and the page ends
    /// with `# EOF`.
    OpenMetrics,
}

impl Format {
    /// The Content-Type to serve a page of this format with.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
            Self::OpenMetrics => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
            }
        }
    }
}

/// The name of the format in a sentence.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "Prometheus text",
            Self::OpenMetrics => "OpenMetrics",
        })
    }
}
