//! What befalls requests.

use super::api_error::ApiError;

/// What befalls one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing: it is answered as usual.
    Pass,
    /// It is answered with 503 and has no effect.
    Unavailable,
    /// It is answered with 429 and has no effect.
    QuotaExceeded,
    /// It is answered with 403 and has no effect.
    Denied,
    /// It is answered with 409 and has no effect, as if somebody had changed the object meanwhile.
    Conflict,
    /// It is never answered and has no effect.
    Hang,
    /// It takes effect, and the answer is lost.
    LoseAnswer,
}

impl Fault {
    /// The answer that this fault gives instead of any effect.
    pub(super) fn refusal(self) -> Option<ApiError> {
        match self {
            Self::Unavailable => Some(ApiError::unavailable()),
            Self::QuotaExceeded => Some(ApiError::quota_exceeded()),
            Self::Denied => Some(ApiError::denied()),
            Self::Conflict => Some(ApiError::aborted()),
            Self::Pass | Self::Hang | Self::LoseAnswer => None,
        }
    }
}
