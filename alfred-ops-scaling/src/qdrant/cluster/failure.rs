//! What went wrong, as errors of ours.

use alfred_ops_core::{Error, ErrorKind, Retry};
use reqwest::{Method, StatusCode};

use super::wire::Refusal;

/// As much of what the server says is passed on.
const MESSAGE_CHARS_MAX: usize = 300;
const LATE: &str = "look before a repeat: the request may have arrived";

/// A request that got no answer, or not all of it.
pub(super) fn unanswered(
    operation: &'static str,
    target: &str,
    method: &Method,
    error: reqwest::Error,
) -> Error {
    let (kind, message) = match () {
        () if error.is_connect() => (ErrorKind::Unavailable, "no connection"),
        () if error.is_timeout() => (ErrorKind::Timeout, "no full answer in time"),
        () => (ErrorKind::Unavailable, "the exchange broke off"),
    };
    let changes = *method != Method::GET && !error.is_connect();
    let failed = Error::new(kind, operation, message).with_target(target).with_source(error.without_url());
    if changes {
        failed.with_retry(Retry::Unknown).with_remedy(LATE)
    } else {
        failed.with_retry(Retry::After(None))
    }
}

/// An answer that is no success.
pub(super) fn refused(
    operation: &'static str,
    target: &str,
    method: &Method,
    status: StatusCode,
    body: &[u8],
) -> Error {
    let said =
        serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.status.error).unwrap_or_default();
    let said: String = said.chars().take(MESSAGE_CHARS_MAX).collect();
    let kind = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::PermissionDenied,
        StatusCode::NOT_FOUND => ErrorKind::NotFound,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => ErrorKind::Unavailable,
        status if status.is_server_error() => ErrorKind::Unavailable,
        status if status.is_redirection() => ErrorKind::Unsupported,
        _ => ErrorKind::InvalidInput,
    };
    let colon = if said.is_empty() { "" } else { ": " };
    let error = Error::new(kind, operation, format!("answered {status}{colon}{said}")).with_target(target);
    match kind {
        ErrorKind::PermissionDenied => error.with_remedy("give an API key that may manage the cluster"),
        ErrorKind::Unsupported => error.with_remedy("give the URL that it redirects to"),
        // The consensus may still accept what it has not accepted in time.
        _ if status.is_server_error() && *method != Method::GET => {
            error.with_retry(Retry::Unknown).with_remedy(LATE)
        }
        _ => error,
    }
}
