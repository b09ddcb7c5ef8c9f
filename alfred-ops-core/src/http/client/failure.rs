//! What went wrong, as errors of ours.

use std::time::Duration;

use crate::{Error, ErrorKind, Retry};
use chrono::DateTime;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// A request that got no answer.
#[must_use]
pub fn failed_request(operation: &'static str, shown: &str, error: reqwest::Error) -> Error {
    let (kind, message) = if error.is_connect() && error.is_timeout() {
        (ErrorKind::Unavailable, "the connection was not accepted in time")
    } else if error.is_connect() {
        (ErrorKind::Unavailable, "no connection")
    } else if error.is_timeout() {
        (ErrorKind::Timeout, "no full answer in time")
    } else {
        (ErrorKind::Unavailable, "the exchange broke off")
    };
    let retry = match kind {
        // The request may have arrived before the connection broke.
        ErrorKind::Unavailable if !error.is_connect() => Retry::Unknown,
        kind => kind.default_retry(),
    };
    // The error names the URL, credentials included, unless told not to.
    Error::new(kind, operation, message).with_target(shown).with_retry(retry).with_source(error.without_url())
}

/// An answer that is no success.
#[must_use]
pub fn failed_status(operation: &'static str, shown: &str, status: StatusCode, headers: &HeaderMap) -> Error {
    failed_answer(kind_of(status), operation, shown, (status, headers), "")
}

/// What a status that is no success says.
#[must_use]
pub fn kind_of(status: StatusCode) -> ErrorKind {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => ErrorKind::Unavailable,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::PermissionDenied,
        StatusCode::NOT_FOUND | StatusCode::GONE => ErrorKind::NotFound,
        status if status.is_server_error() => ErrorKind::Unavailable,
        status if status.is_redirection() => ErrorKind::Unsupported,
        _ => ErrorKind::InvalidInput,
    }
}

/// An answer that is no success and says of what kind, and perhaps more.
#[must_use]
pub fn failed_answer(
    kind: ErrorKind,
    operation: &'static str,
    shown: &str,
    (status, headers): (StatusCode, &HeaderMap),
    said: &str,
) -> Error {
    let retry = match kind {
        ErrorKind::Unavailable => Retry::After(retry_after(headers)),
        kind => kind.default_retry(),
    };
    let colon = if said.is_empty() { "" } else { ": " };
    let message = format!("answered {status}{colon}{said}");
    let error = Error::new(kind, operation, message).with_target(shown).with_retry(retry);
    match kind {
        ErrorKind::PermissionDenied => error.with_remedy("check the credentials"),
        ErrorKind::NotFound => error.with_remedy("check the URL"),
        ErrorKind::Unsupported => error.with_remedy("give the URL it redirects to"),
        _ => error,
    }
}

/// How long the far side asks to be left alone. A date counts from the answer's own date, so that the two
/// clocks need not agree.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let asked = text(RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(asked).ok()?;
    let answered = DateTime::parse_from_rfc2822(text(DATE)?).ok()?;
    (until - answered).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, headers: &[(HeaderName, &str)], kind: ErrorKind, retry: Retry) {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let status = StatusCode::from_u16(status).unwrap();
        let error = failed_status("deliver", "http://a", status, &headers);
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{error}");
    }

    #[test]
    fn answers_are_classified_and_waits_understood() {
        let seconds = |seconds| Retry::After(Some(Duration::from_secs(seconds)));
        check(500, &[], ErrorKind::Unavailable, Retry::After(None));
        check(429, &[(RETRY_AFTER, "17")], ErrorKind::Unavailable, seconds(17));
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        let until = "Wed, 21 Oct 2015 07:28:30 GMT";
        check(503, &[(RETRY_AFTER, until), (DATE, date)], ErrorKind::Unavailable, seconds(30));
        check(503, &[(RETRY_AFTER, "soon")], ErrorKind::Unavailable, Retry::After(None));
        check(400, &[(RETRY_AFTER, "17")], ErrorKind::InvalidInput, Retry::Never);
        check(403, &[], ErrorKind::PermissionDenied, Retry::Never);
        check(404, &[], ErrorKind::NotFound, Retry::Never);
        check(302, &[], ErrorKind::Unsupported, Retry::Never);
    }
}
