//! How targets are scraped.

use std::collections::BTreeMap;
use std::time::Duration;

use alfred_ops_core::exposition::Limits;

/// How the targets of a job are scraped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScrapeConfig {
    /// How often.
    pub interval: Duration,
    /// How long one scrape may take. Must not exceed the interval.
    pub timeout: Duration,
    /// The path of the page.
    pub metrics_path: String,
    /// Labels added to every sample, under those of the page.
    pub labels: BTreeMap<String, String>,
    /// How large a page may be.
    pub limits: Limits,
}

impl Default for ScrapeConfig {
    /// Every 15 s as the platform's Prometheus does, at most 10 s, at `/metrics`.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(15),
            timeout: Duration::from_secs(10),
            metrics_path: "/metrics".to_owned(),
            labels: BTreeMap::new(),
            limits: Limits::default(),
        }
    }
}

impl ScrapeConfig {
    /// Sets how often.
    #[must_use]
    pub const fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets how long one scrape may take.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the path of the page.
    #[must_use]
    pub fn with_metrics_path(mut self, metrics_path: impl Into<String>) -> Self {
        self.metrics_path = metrics_path.into();
        self
    }

    /// Adds a label to every sample.
    #[must_use]
    pub fn with_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// Sets how large a page may be.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}
