//! What the Admin API's errors mean.

use alfred_ops_core::{Error, ErrorKind};
use google_cloud_gax::error::rpc::Code;

const DENIED: &str = "grant the host's service account roles/run.developer on the service";
const CREDENTIALS: &str = "give the host application default credentials";
const QUOTA: &str = "raise the project's quota for Cloud Run Admin API requests, or have fewer callers";
const OUTAGE: &str = "wait: the next look tries again; see status.cloud.google.com if it lasts";
const LATE: &str = "read the service before a repeat: the request may have arrived";

/// What an error is, how it is put where the API does not say, and what a person does about it.
type Meaning = (ErrorKind, &'static str, Option<&'static str>);

pub(super) fn classify(
    operation: &'static str,
    service: &str,
    error: google_cloud_gax::error::Error,
) -> Error {
    let message = error.status().map(|status| status.message.clone()).filter(|text| !text.is_empty());
    let (kind, otherwise, remedy) = meaning(&error);
    let classified = Error::new(kind, operation, message.unwrap_or_else(|| otherwise.to_owned()))
        .with_target(service)
        .with_source(error);
    match remedy {
        Some(remedy) => classified.with_remedy(remedy),
        None => classified,
    }
}

fn meaning(error: &google_cloud_gax::error::Error) -> Meaning {
    match (error.status().map(|status| status.code), error.http_status_code()) {
        (Some(Code::NotFound), _) | (None, Some(404)) => {
            (ErrorKind::NotFound, "there is no such service", Some("check project, location and service"))
        }
        (Some(Code::Unauthenticated), _) | (None, Some(401)) => {
            (ErrorKind::PermissionDenied, "the credentials are not accepted", Some(CREDENTIALS))
        }
        (Some(Code::PermissionDenied), _) | (None, Some(403)) => {
            (ErrorKind::PermissionDenied, "the caller may not do that", Some(DENIED))
        }
        (Some(Code::Aborted | Code::AlreadyExists), _) | (None, Some(409)) => {
            (ErrorKind::Conflict, "the service was changed meanwhile", None)
        }
        (Some(Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange), _)
        | (None, Some(400)) => (ErrorKind::InvalidInput, "the API refuses the request", None),
        (Some(Code::ResourceExhausted), _) | (None, Some(429)) => {
            (ErrorKind::Unavailable, "the API's quota is used up", Some(QUOTA))
        }
        (Some(Code::DeadlineExceeded), _) | (None, Some(504)) => {
            (ErrorKind::Timeout, "no answer in time", Some(LATE))
        }
        _ if error.is_timeout() || error.is_exhausted() => {
            (ErrorKind::Timeout, "no answer in time", Some(LATE))
        }
        _ if error.is_authentication() => {
            (ErrorKind::PermissionDenied, "there are no usable credentials", Some(CREDENTIALS))
        }
        _ if error.is_connect() => {
            (ErrorKind::Unavailable, "the API cannot be reached", Some("check the endpoint and the network"))
        }
        (Some(Code::Unavailable), _) | (None, Some(503)) => {
            (ErrorKind::Unavailable, "the API is overloaded", Some(OUTAGE))
        }
        // Neither says whether the request took effect.
        (Some(Code::Internal | Code::Unknown), _) | (None, Some(500..=599)) => {
            (ErrorKind::Timeout, "the API failed on the way", Some(LATE))
        }
        _ if error.is_io() || error.is_transport() => {
            (ErrorKind::Timeout, "the connection broke", Some(LATE))
        }
        _ => (ErrorKind::Internal, "the API's answer was not understood", None),
    }
}
