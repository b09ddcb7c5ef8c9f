//! Wrong answers of the S3 server, by script.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::Request;
use s3s::HttpResponse;

/// One wrong answer of an [`S3Server`](super::S3Server).
#[derive(Debug, Clone)]
pub struct S3Fault {
    method: String,
    uri_part: String,
    status: u16,
    code: String,
    pub(super) after: bool,
}

impl S3Fault {
    /// Answers one request of `method` whose path or query holds `uri_part` with an HTTP status and an S3
    /// error code instead of serving it.
    #[must_use]
    pub fn refuse(
        method: impl Into<String>,
        uri_part: impl Into<String>,
        status: u16,
        code: impl Into<String>,
    ) -> Self {
        Self { method: method.into(), uri_part: uri_part.into(), status, code: code.into(), after: false }
    }

    /// Serves the request and then answers it wrongly: an answer lost on its way.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        self.after = true;
        self
    }

    /// The answer.
    pub(super) fn answer(&self) -> HttpResponse {
        let body = format!("<Error><Code>{}</Code><Message>on purpose</Message></Error>", self.code);
        let mut answer = HttpResponse::new(s3s::Body::from(body));
        *answer.status_mut() = hyper::StatusCode::from_u16(self.status).unwrap_or_default();
        answer
    }
}

/// The faults to come and the requests that came.
#[derive(Debug, Default)]
pub(super) struct S3Faults(Mutex<Script>);

#[derive(Debug, Default)]
struct Script {
    faults: VecDeque<S3Fault>,
    requests: Vec<String>,
}

impl S3Faults {
    fn lock(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn script(&self, faults: impl IntoIterator<Item = S3Fault>) {
        self.lock().faults.extend(faults);
    }

    pub(super) fn forget(&self) {
        self.lock().faults.clear();
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.lock().requests.clone()
    }

    /// Notes a request and takes the first fault that fits it.
    pub(super) fn arrive<B>(&self, request: &Request<B>) -> Option<S3Fault> {
        let (method, uri) = (request.method().as_str(), request.uri().to_string());
        let mut script = self.lock();
        script.requests.push(format!("{method} {uri}"));
        let at =
            script.faults.iter().position(|fault| fault.method == method && uri.contains(&fault.uri_part))?;
        script.faults.remove(at)
    }
}
