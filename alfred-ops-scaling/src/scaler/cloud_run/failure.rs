//! What the Admin API's errors mean.

use alfred_ops_core::{Error, ErrorKind};
use google_cloud_gax::error::rpc::Code;

pub(super) fn classify(
    operation: &'static str,
    service: &str,
    error: google_cloud_gax::error::Error,
) -> Error {
    let code = error.status().map(|status| status.code);
    let message = error.status().map(|status| status.message.clone()).filter(|text| !text.is_empty());
    let (kind, otherwise, remedy) = match (code, error.http_status_code()) {
        (Some(Code::NotFound), _) | (None, Some(404)) => {
            (ErrorKind::NotFound, "there is no such service", Some("check project, location and service"))
        }
        (Some(Code::PermissionDenied | Code::Unauthenticated), _) | (None, Some(401 | 403)) => (
            ErrorKind::PermissionDenied,
            "the caller may not do that",
            Some("grant the host's service account roles/run.developer on the service"),
        ),
        (Some(Code::Aborted | Code::AlreadyExists), _) | (None, Some(409)) => {
            (ErrorKind::Conflict, "the service was changed meanwhile", None)
        }
        (Some(Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange), _)
        | (None, Some(400)) => (ErrorKind::InvalidInput, "the API refuses the request", None),
        (Some(Code::ResourceExhausted), _) | (None, Some(429)) => {
            (ErrorKind::Unavailable, "the API's quota is used up", None)
        }
        (Some(Code::DeadlineExceeded), _) => (ErrorKind::Timeout, "no answer in time", None),
        _ if error.is_timeout() || error.is_exhausted() => (ErrorKind::Timeout, "no answer in time", None),
        _ if error.is_authentication() => (
            ErrorKind::PermissionDenied,
            "there are no usable credentials",
            Some("give the host application default credentials"),
        ),
        _ if error.is_connect() => {
            (ErrorKind::Unavailable, "the API cannot be reached", Some("check the endpoint and the network"))
        }
        (Some(Code::Unavailable | Code::Internal), _) | (None, Some(500..=599)) => {
            (ErrorKind::Unavailable, "the API is overloaded or broken", None)
        }
        // The request may have arrived before the connection broke.
        _ if error.is_io() || error.is_transport() => (ErrorKind::Timeout, "the connection broke", None),
        _ => (ErrorKind::Internal, "the API's answer was not understood", None),
    };
    let classified = Error::new(kind, operation, message.unwrap_or_else(|| otherwise.to_owned()))
        .with_target(service)
        .with_source(error);
    match remedy {
        Some(remedy) => classified.with_remedy(remedy),
        None => classified,
    }
}
