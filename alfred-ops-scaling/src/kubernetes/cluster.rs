//! Asks an API server.

use std::time::Duration;

use alfred_ops_core::http::{Answer, Endpoint, KubernetesApiServer, Payload, Question, Requester};
use alfred_ops_core::{ClockExt as _, Error, ErrorKind, Result, Retry, SharedClock};
use reqwest::header::ACCEPT;
use reqwest::{Method, StatusCode};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::failure::{LATE, refused};
use super::resource::Request;
use super::wire::Page;

/// The API server answers within seconds, or not at all.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);
/// One object.
const OBJECT_BYTES_MAX: usize = 4 << 20;
/// A page of 500 pods has about a megabyte; the Metrics API does not page.
const PAGE_BYTES_MAX: usize = 64 << 20;
const PAGE_ITEMS: &str = "500";
/// Beyond it a selector selects too much.
const PAGES_MAX: usize = 40;
/// Who changed a field, as the server keeps it.
const FIELD_MANAGER: (&str, &str) = ("fieldManager", "alfred-ops");
const MERGE_PATCH: &str = "application/merge-patch+json";
const JSON: &str = "application/json";

/// A request that changes something.
#[derive(Debug, Clone, Copy)]
struct Change<'a> {
    method: &'a Method,
    content_type: &'static str,
    body: &'a Value,
}

/// A Kubernetes cluster, asked over HTTPS by what scales and measures in it. Share one: all requests share its connections.
///
/// It follows no redirect and repeats nothing. The token is read anew for each request, certificates once.
///
/// ```no_run
/// use std::sync::Arc;
/// use alfred_ops_core::SystemClock;
/// use alfred_ops_scaling::{KubernetesCluster, KubernetesScaler, ScaleTarget};
///
/// # fn main() -> alfred_ops_core::Result<()> {
/// let cluster = Arc::new(KubernetesCluster::of_this_pod(SystemClock::shared())?);
/// let scaler = KubernetesScaler::new(cluster, ScaleTarget::deployment("agents", "social-intel")?);
/// # drop(scaler);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct KubernetesCluster {
    base: Endpoint,
    requester: Requester,
    request_limit: Duration,
    clock: SharedClock,
}

impl KubernetesCluster {
    /// The cluster in which this process runs, asked with the pod's service account.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if this process runs in no pod, or the cluster's certificate cannot be used.
    pub fn of_this_pod(clock: SharedClock) -> Result<Self> {
        Self::new(KubernetesApiServer::of_this_pod()?, clock)
    }

    /// A cluster with this API server. Nothing is asked yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the URL or a certificate cannot be used.
    pub fn new(server: KubernetesApiServer, clock: SharedClock) -> Result<Self> {
        let mut http = server.http;
        http.follow_redirects = false;
        Ok(Self {
            base: Endpoint::public(&server.url, "reach cluster")?,
            requester: Requester::new(&http)?,
            request_limit: REQUEST_LIMIT,
            clock,
        })
    }

    /// How long one request may take; 15 s if not set.
    #[must_use]
    pub const fn with_request_limit(mut self, limit: Duration) -> Self {
        self.request_limit = limit;
        self
    }

    /// Reads one object.
    pub(crate) async fn read<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T> {
        self.exchange(request, &self.endpoint(request), None, OBJECT_BYTES_MAX).await
    }

    /// Reads all objects that `query` selects, page by page.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>> {
        let mut first = self.endpoint(request).with_query("limit", PAGE_ITEMS);
        for (name, value) in query {
            first = first.with_query(name, value);
        }
        let (mut all, mut page) = (Vec::new(), first.clone());
        for _ in 0..PAGES_MAX {
            let read: Page<T> = self.exchange(request, &page, None, PAGE_BYTES_MAX).await?;
            all.extend(read.items.unwrap_or_default());
            let Some(next) = read.metadata.next.filter(|next| !next.is_empty()) else { return Ok(all) };
            page = first.with_query("continue", &next);
        }
        let message = format!("there are more than {PAGES_MAX} pages of {PAGE_ITEMS}");
        Err(Error::new(ErrorKind::ResourceExhausted, request.operation, message)
            .with_target(first.shown())
            .with_remedy("select fewer"))
    }

    /// Merges `patch` into one object and reads the outcome. A dry run changes nothing.
    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        patch: &Value,
        dry_run: bool,
    ) -> Result<T> {
        let mut endpoint = self.endpoint(request).with_query(FIELD_MANAGER.0, FIELD_MANAGER.1);
        if dry_run {
            endpoint = endpoint.with_query("dryRun", "All");
        }
        let change = Change { method: &Method::PATCH, content_type: MERGE_PATCH, body: patch };
        self.exchange(request, &endpoint, Some(change), OBJECT_BYTES_MAX).await
    }

    /// Makes an object and reads the outcome. The request names no object: its body does.
    pub(crate) async fn create<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        object: &Value,
    ) -> Result<T> {
        let endpoint = self.endpoint(request).with_query(FIELD_MANAGER.0, FIELD_MANAGER.1);
        let change = Change { method: &Method::POST, content_type: JSON, body: object };
        self.exchange(request, &endpoint, Some(change), OBJECT_BYTES_MAX).await
    }

    /// Deletes an object as these `DeleteOptions` say.
    pub(crate) async fn delete(&self, request: &Request<'_>, options: &Value) -> Result<()> {
        let change = Change { method: &Method::DELETE, content_type: JSON, body: options };
        let endpoint = self.endpoint(request);
        self.exchange::<IgnoredAny>(request, &endpoint, Some(change), OBJECT_BYTES_MAX).await.map(drop)
    }

    fn endpoint(&self, request: &Request<'_>) -> Endpoint {
        self.base.below(&request.path())
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        endpoint: &Endpoint,
        change: Option<Change<'_>>,
        bytes_max: usize,
    ) -> Result<T> {
        let operation = request.operation;
        let asked = self.send(operation, endpoint, change, bytes_max);
        let answer = self.clock.timeout(self.request_limit, operation, asked).await;
        let answer = answer.map_err(|error| error.with_target(endpoint.shown())).flatten();
        let answer = answer.map_err(|error| match error.retry() {
            Retry::Unknown if change.is_some() => error.with_remedy(LATE),
            // A question changes nothing, whether or not it has arrived.
            Retry::Unknown => error.with_retry(Retry::After(None)),
            _ => error,
        })?;
        if !matches!(answer.status, StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED) {
            return Err(refused(request, endpoint.shown(), &answer, change.is_some()));
        }
        serde_json::from_slice(&answer.body).map_err(|source| {
            let error = Error::new(ErrorKind::Unsupported, operation, "the answer was not understood")
                .with_target(endpoint.shown())
                .with_remedy("check that the URL is that of a Kubernetes API server")
                .with_source(source);
            if change.is_some() { error.with_retry(Retry::Unknown) } else { error }
        })
    }

    async fn send(
        &self,
        operation: &'static str,
        endpoint: &Endpoint,
        change: Option<Change<'_>>,
        bytes_max: usize,
    ) -> Result<Answer> {
        let headers = [(ACCEPT, JSON.to_owned())];
        let question = Question {
            operation,
            endpoint,
            headers: &headers,
            bytes_max,
            limit_name: None,
            compressed: true,
        };
        let Some(change) = change else { return self.requester.send(&question, &Method::GET, None).await };
        let bytes = change.body.to_string();
        let payload = Payload { content_type: change.content_type, bytes: bytes.as_bytes() };
        self.requester.send(&question, change.method, Some(&payload)).await
    }
}
