//! What befalls requests.

use super::api_error::ApiError;

/// What befalls one request to a [`CloudMonitoringServer`](super::CloudMonitoringServer).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MonitoringFault {
    /// Nothing: it is answered as usual.
    Pass,
    /// It is answered with 503.
    Unavailable,
    /// It is answered with 429.
    QuotaExceeded,
    /// It is answered with 403.
    Denied,
    /// It is answered with what it found, and that this is not all.
    Incomplete,
    /// It is answered with something that is no JSON.
    Garbled,
    /// It is never answered.
    Hang,
}

impl MonitoringFault {
    /// The answer that this fault gives instead.
    pub(super) fn refusal(self) -> Option<ApiError> {
        match self {
            Self::Unavailable => {
                Some(ApiError::new(503, "UNAVAILABLE", "The service is currently unavailable."))
            }
            Self::QuotaExceeded => Some(ApiError::new(
                429,
                "RESOURCE_EXHAUSTED",
                "Quota exceeded for quota metric 'Time series queries'.",
            )),
            Self::Denied => Some(ApiError::new(
                403,
                "PERMISSION_DENIED",
                "Permission monitoring.timeSeries.list denied (or the resource may not exist).",
            )),
            Self::Pass | Self::Incomplete | Self::Garbled | Self::Hang => None,
        }
    }
}
