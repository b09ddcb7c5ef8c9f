//! How much is told.

use std::time::Duration;

/// How much is told, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotifyPolicy {
    /// After how long a group that still fires is told again. Sinks reach people, so this is the four hours
    /// of Alertmanager's `repeat_interval`, not the minute of Prometheus' resend delay.
    pub repeat_after: Duration,
    /// How many alerts one notification tells; the others are counted. Chat and paging services refuse
    /// bodies that are too large.
    pub alerts_max: usize,
    /// Where a person finds more; empty if nowhere.
    pub external_url: String,
}

impl Default for NotifyPolicy {
    fn default() -> Self {
        Self { repeat_after: Duration::from_secs(4 * 60 * 60), alerts_max: 500, external_url: String::new() }
    }
}

impl NotifyPolicy {
    /// Sets after how long a group that still fires is told again.
    #[must_use]
    pub const fn with_repeat_after(mut self, repeat_after: Duration) -> Self {
        self.repeat_after = repeat_after;
        self
    }

    /// Sets how many alerts one notification tells.
    #[must_use]
    pub const fn with_alerts_max(mut self, alerts_max: usize) -> Self {
        self.alerts_max = alerts_max;
        self
    }

    /// Sets where a person finds more.
    #[must_use]
    pub fn with_external_url(mut self, external_url: impl Into<String>) -> Self {
        self.external_url = external_url.into();
        self
    }
}
