//! Wrong answers of the S3 server, by script or by chance.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use alfred_ops_core::{EntropyExt as _, SeededEntropy};
use hyper::Request;
use hyper::header::IF_NONE_MATCH;

use super::s3_trouble::{Kind, Trouble};

/// One wrong answer of an [`S3Server`](super::S3Server).
#[derive(Debug, Clone)]
pub struct S3Fault {
    method: String,
    uri_part: String,
    trouble: Trouble,
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
        let trouble = Trouble::Answer { status, code: code.into(), after: false };
        Self { method: method.into(), uri_part: uri_part.into(), trouble }
    }

    /// Serves one request of `method` whose path or query holds `uri_part`, and breaks the connection in the
    /// middle of the answer.
    #[must_use]
    pub fn cut(method: impl Into<String>, uri_part: impl Into<String>) -> Self {
        Self { method: method.into(), uri_part: uri_part.into(), trouble: Trouble::CutAnswer }
    }

    /// Serves the request and then answers it wrongly: an answer lost on its way.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        if let Trouble::Answer { after, .. } = &mut self.trouble {
            *after = true;
        }
        self
    }
}

/// The faults to come and the requests that came.
#[derive(Debug, Default)]
pub(super) struct S3Faults(Mutex<Script>);

#[derive(Debug, Default)]
struct Script {
    faults: VecDeque<S3Fault>,
    chance: Option<(SeededEntropy, u64)>,
    hit: u64,
    requests: Vec<String>,
}

impl S3Faults {
    fn lock(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn script(&self, faults: impl IntoIterator<Item = S3Fault>) {
        self.lock().faults.extend(faults);
    }

    pub(super) fn by_chance(&self, seed: u64, percent: u8) {
        self.lock().chance = Some((SeededEntropy::new(seed), u64::from(percent)));
    }

    pub(super) fn forget(&self) {
        let mut script = self.lock();
        script.faults.clear();
        script.chance = None;
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.lock().requests.clone()
    }

    pub(super) fn hit(&self) -> u64 {
        self.lock().hit
    }

    /// Notes a request and tells what happens to it: by the first fault that fits it, or else by chance.
    pub(super) fn arrive<B>(&self, request: &Request<B>) -> Option<Trouble> {
        let (method, uri) = (request.method().as_str(), request.uri().to_string());
        let mut script = self.lock();
        script.requests.push(format!("{method} {uri}"));
        let fits = |fault: &S3Fault| fault.method == method && uri.contains(&fault.uri_part);
        let at = script.faults.iter().position(fits);
        let trouble = match at.and_then(|at| script.faults.remove(at)) {
            Some(fault) => Some(fault.trouble),
            None => script.chance.as_ref().and_then(|(entropy, percent)| {
                let kind = match method {
                    "GET" if uri.contains("list-type") => Kind::List,
                    "GET" => Kind::Read,
                    "PUT" if request.headers().contains_key(IF_NONE_MATCH) => Kind::Create,
                    "PUT" | "POST" => Kind::Write,
                    _ => Kind::Other,
                };
                (entropy.below(100) < *percent).then(|| Trouble::draw(entropy, kind))
            }),
        };
        script.hit += u64::from(trouble.is_some());
        trouble
    }
}
