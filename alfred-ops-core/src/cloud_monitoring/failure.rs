//! What the API's errors mean to somebody who reads.

use google_cloud_gax::error::rpc::Code;

use crate::{Error, ErrorKind, Retry};

pub(super) const OPERATION: &str = "read metrics";

const DENIED: &str = "grant the host's service account roles/monitoring.viewer on the project";
const CREDENTIALS: &str = "give the host application default credentials";
const QUOTA: &str = "ask less often, or raise the project's quota for time series queries";
const OUTAGE: &str = "wait: the next collection asks again; see status.cloud.google.com if it lasts";
const UNKNOWN: &str =
    "check project and metric type; a metric of your own exists from its first point on, some minutes later";
const REFUSED: &str = "correct the query's filter, alignment or reduction";

/// What an error is, how it is put where the API does not say, and what a person does about it.
type Meaning = (ErrorKind, &'static str, Option<&'static str>);

pub(super) fn classify(target: &str, error: google_cloud_gax::error::Error) -> Error {
    let message = error.status().map(|status| status.message.clone()).filter(|text| !text.is_empty());
    let (kind, otherwise, remedy) = meaning(&error);
    let mut classified = Error::new(kind, OPERATION, message.unwrap_or_else(|| otherwise.to_owned()))
        .with_target(target)
        .with_source(error);
    if kind == ErrorKind::Timeout {
        // Reading changes nothing.
        classified = classified.with_retry(Retry::After(None));
    }
    match remedy {
        Some(remedy) => classified.with_remedy(remedy),
        None => classified,
    }
}

fn meaning(error: &google_cloud_gax::error::Error) -> Meaning {
    match (error.status().map(|status| status.code), error.http_status_code()) {
        (Some(Code::NotFound), _) | (None, Some(404)) => {
            (ErrorKind::NotFound, "there is no such project or metric", Some(UNKNOWN))
        }
        (Some(Code::Unauthenticated), _) | (None, Some(401)) => {
            (ErrorKind::PermissionDenied, "the credentials are not accepted", Some(CREDENTIALS))
        }
        (Some(Code::PermissionDenied), _) | (None, Some(403)) => {
            (ErrorKind::PermissionDenied, "the caller may not read metrics", Some(DENIED))
        }
        (Some(Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange), _)
        | (None, Some(400)) => (ErrorKind::InvalidInput, "the API refuses the query", Some(REFUSED)),
        (Some(Code::ResourceExhausted), _) | (None, Some(429)) => {
            (ErrorKind::Unavailable, "the API's quota is used up", Some(QUOTA))
        }
        (Some(Code::DeadlineExceeded), _) | (None, Some(504)) => {
            (ErrorKind::Timeout, "no answer in time", Some(OUTAGE))
        }
        (Some(Code::Unavailable | Code::Internal | Code::Unknown | Code::Aborted), _)
        | (None, Some(500..=599)) => (ErrorKind::Unavailable, "the API fails", Some(OUTAGE)),
        _ if error.is_timeout() || error.is_exhausted() => {
            (ErrorKind::Timeout, "no answer in time", Some(OUTAGE))
        }
        _ if error.is_authentication() => {
            (ErrorKind::PermissionDenied, "there are no usable credentials", Some(CREDENTIALS))
        }
        _ if error.is_connect() || error.is_io() || error.is_transport() => {
            (ErrorKind::Unavailable, "the API cannot be reached", Some("check the endpoint and the network"))
        }
        _ => (ErrorKind::Corrupt, "the API's answer was not understood", None),
    }
}
