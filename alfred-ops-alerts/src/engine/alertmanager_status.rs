//! How telling an Alertmanager goes.

use chrono::{DateTime, Utc};

/// How telling an Alertmanager goes. All numbers count alerts, each as often as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlertmanagerStatus {
    /// Its name.
    pub name: String,
    /// How many wait or are on their way.
    pub waiting: usize,
    /// How many it has taken.
    pub sent: u64,
    /// How many were in batches that it refused, or that did not arrive. They are not sent again as such: what still holds
    /// is sent anew after the resend delay.
    pub failed: u64,
    /// How many gave way because too many waited.
    pub dropped: u64,
    /// Why the last batch failed, if it did.
    pub last_error: Option<String>,
    /// When it last took a batch.
    pub last_success: Option<DateTime<Utc>>,
}
