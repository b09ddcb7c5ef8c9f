//! What a server says instead of an answer, as errors of ours.

use alfred_ops_core::http::{failed_answer, kind_of};
use alfred_ops_core::{Error, ErrorKind, Retry};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

use super::prometheus_api::OPERATION;
use super::reply::{self, Refusal, Reply, SeriesLimit};

/// Of what a server says; it may repeat a long query.
const CHARACTERS_MAX: usize = 500;

/// A refusal. Its type says more than the status where Prometheus knows the type; other servers put anything there.
pub(super) fn refused(shown: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let refusal = match reply::read(body, &SeriesLimit::new(0)) {
        Ok(Reply::Refusal(refusal)) => Some(refusal),
        _ => None,
    };
    let kind = kind(status, refusal.as_ref().map_or("", |refusal| &refusal.error_type));
    let said = match &refusal {
        Some(Refusal { error_type, error }) if error_type.is_empty() => clipped(error),
        Some(Refusal { error_type, error }) => format!("{}: {}", clipped(error_type), clipped(error)),
        // Mimir and proxies answer in plain text; a page for people says nothing that fits here.
        None if is(headers, "text/plain") => clipped(&String::from_utf8_lossy(body)),
        None => String::new(),
    };
    let error = failed_answer(kind, OPERATION, shown, (status, headers), &said);
    match kind {
        ErrorKind::Timeout => error
            .with_retry(Retry::After(None))
            .with_remedy("let the query read less, or allow it more time"),
        ErrorKind::NotFound if refusal.is_none() => {
            error.with_remedy("check the base URL: Mimir's ends in /prometheus, VictoriaMetrics' cluster's in /select/0/prometheus")
        }
        _ if status == StatusCode::METHOD_NOT_ALLOWED => error.with_remedy("let POST through to the server"),
        _ => error,
    }
}

fn kind(status: StatusCode, error_type: &str) -> ErrorKind {
    match error_type {
        _ if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            ErrorKind::PermissionDenied
        }
        "bad_data" | "execution" => ErrorKind::InvalidInput,
        "timeout" => ErrorKind::Timeout,
        "canceled" | "internal" | "unavailable" | "too_many_requests" => ErrorKind::Unavailable,
        "not_found" => ErrorKind::NotFound,
        // A refusal with a status of success, of a type that says nothing.
        _ if status.is_success() => ErrorKind::InvalidInput,
        _ if status == StatusCode::METHOD_NOT_ALLOWED => ErrorKind::Unsupported,
        _ => kind_of(status),
    }
}

/// An answer of success that is none of this API.
pub(super) fn not_the_api(shown: &str, headers: &HeaderMap, source: serde_json::Error) -> Error {
    let found = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("no type");
    let message = format!("the answer ({}) is none of Prometheus' HTTP API", clipped(found));
    Error::new(ErrorKind::Unsupported, OPERATION, message)
        .with_target(shown)
        .with_remedy("check the base URL: what comes before /api/v1")
        .with_source(source)
}

fn is(headers: &HeaderMap, media: &str) -> bool {
    let found = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (found, _) = found.split_once(';').unwrap_or((found, ""));
    found.trim().eq_ignore_ascii_case(media)
}

/// On one line and not long.
fn clipped(text: &str) -> String {
    let line = text.split(|character: char| character.is_whitespace() || character.is_control());
    let line = line.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(CHARACTERS_MAX).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}
