//! The formats of pages.

/// The format of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScrapeProtocol {
    /// Protocol buffers.
    PrometheusProto,
    /// OpenMetrics text, version 0.0.1.
    OpenMetricsText0_0_1,
    /// OpenMetrics text, version 1.0.0.
    OpenMetricsText1_0_0,
    /// Prometheus text, version 0.0.4.
    PrometheusText0_0_4,
    /// Prometheus text, version 1.0.0.
    PrometheusText1_0_0,
}

impl ScrapeProtocol {
    /// All formats.
    pub const ALL: [Self; 5] = [
        Self::PrometheusProto,
        Self::OpenMetricsText0_0_1,
        Self::OpenMetricsText1_0_0,
        Self::PrometheusText0_0_4,
        Self::PrometheusText1_0_0,
    ];

    /// Those that a scrape asks for where nothing else is said, the most wanted first.
    pub const DEFAULT: [Self; 4] = [
        Self::OpenMetricsText1_0_0,
        Self::OpenMetricsText0_0_1,
        Self::PrometheusText1_0_0,
        Self::PrometheusText0_0_4,
    ];

    /// The word of a configuration file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PrometheusProto => "PrometheusProto",
            Self::OpenMetricsText0_0_1 => "OpenMetricsText0.0.1",
            Self::OpenMetricsText1_0_0 => "OpenMetricsText1.0.0",
            Self::PrometheusText0_0_4 => "PrometheusText0.0.4",
            Self::PrometheusText1_0_0 => "PrometheusText1.0.0",
        }
    }
}
