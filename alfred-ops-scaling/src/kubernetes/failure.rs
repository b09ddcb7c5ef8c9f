//! What an API server's refusals mean.

use std::time::Duration;

use alfred_ops_core::http::{Answer, failed_answer};
use alfred_ops_core::{Error, ErrorKind, Retry};
use reqwest::StatusCode;

use super::resource::Request;
use super::wire::Status;

/// As much of what the server says is passed on.
const MESSAGE_CHARS_MAX: usize = 300;
pub(super) const LATE: &str = "read the object before a repeat: the request may have arrived";

/// An answer that is no success. `changes` says whether the request might have changed something.
pub(super) fn refused(request: &Request<'_>, target: &str, answer: &Answer, changes: bool) -> Error {
    let status = serde_json::from_slice::<Status>(&answer.body).unwrap_or_default();
    let said = clipped(&status.message);
    let kind = match status.reason.as_str() {
        "AlreadyExists" => ErrorKind::AlreadyExists,
        _ => kind(answer.status, changes),
    };
    let error = failed_answer(kind, request.operation, target, (answer.status, &answer.headers), &said);
    match (kind, answer.status) {
        (ErrorKind::Timeout, _) => error.with_remedy(LATE),
        (ErrorKind::Unavailable, _) => match (error.retry(), &status.details) {
            (Retry::After(None), Some(details)) if details.retry_after_seconds > 0 => {
                error.with_retry(Retry::After(Some(Duration::from_secs(details.retry_after_seconds))))
            }
            _ => error,
        },
        (_, StatusCode::UNAUTHORIZED) => error.with_remedy(
            "give a token that the API server accepts; in a pod, check that it has a service account",
        ),
        (_, StatusCode::FORBIDDEN) if said.contains("admission webhook") => {
            error.with_remedy("ask whoever runs the admission webhook")
        }
        (ErrorKind::PermissionDenied, _) => {
            error.with_remedy(format!("add this rule to the service account's role: {}", request.rule()))
        }
        // The server's own router answers without saying which object, for want of a kind of objects.
        (ErrorKind::NotFound, _) if status.details.is_none_or(|details| details.name.is_empty()) => error
            .with_remedy(format!(
                "check that the cluster serves {} of {}/{}",
                request.resource.plural, request.resource.group, request.resource.version
            )),
        (ErrorKind::NotFound, _) => error.with_remedy("check namespace and name"),
        _ => error,
    }
}

fn kind(status: StatusCode, changes: bool) -> ErrorKind {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::PermissionDenied,
        StatusCode::NOT_FOUND => ErrorKind::NotFound,
        StatusCode::CONFLICT => ErrorKind::Conflict,
        // Both refuse before anything is done. So does a list that went on for too long.
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GONE => {
            ErrorKind::Unavailable
        }
        // None of them says whether the request took effect.
        status if status.is_server_error() && changes => ErrorKind::Timeout,
        status if status.is_server_error() => ErrorKind::Unavailable,
        status if status.is_redirection() => ErrorKind::Unsupported,
        _ => ErrorKind::InvalidInput,
    }
}

fn clipped(text: &str) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(MESSAGE_CHARS_MAX).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}
