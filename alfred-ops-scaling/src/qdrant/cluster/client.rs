//! Requests to one peer.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result, Secret};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failure::{refused, unanswered};
use super::wire::Answer;

/// A peer in the same network accepts a connection at once; one that does not is away.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// A hundred thousand replicas fit; more is not what was asked for.
const ANSWER_BYTES_MAX: usize = 16 << 20;
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// Requests to peers. It follows no redirect, so that the key goes nowhere else, and repeats nothing.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    request_limit: Duration,
}

impl Client {
    pub(super) fn new(api_key: Option<&Secret>, request_limit: Duration) -> Result<Self> {
        let mut headers = HeaderMap::new();
        if let Some(key) = api_key {
            let mut value = HeaderValue::from_str(key.expose()).map_err(|_| {
                Error::new(
                    ErrorKind::InvalidInput,
                    "reach cluster",
                    "api_key: it holds characters that no key has",
                )
                .with_remedy("check where the key comes from")
            })?;
            value.set_sensitive(true);
            headers.insert(API_KEY, value);
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .default_headers(headers)
            .user_agent(concat!("alfred-ops/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "build HTTP client", "the TLS set-up failed")
                    .with_source(error)
            })?;
        Ok(Self { http, request_limit })
    }

    /// Reads what lies below a peer's URL.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        base: &Url,
        path: &[&str],
    ) -> Result<T> {
        self.exchange(operation, Method::GET, below(base, path), None::<&()>).await
    }

    /// Changes something; the server answers once the cluster has agreed to it.
    pub(super) async fn change<B: Serialize + Sync>(
        &self,
        operation: &'static str,
        method: Method,
        (base, path): (&Url, &[&str]),
        body: Option<&B>,
    ) -> Result<bool> {
        self.exchange(operation, method, below(base, path), body).await
    }

    async fn exchange<T: DeserializeOwned, B: Serialize + Sync>(
        &self,
        operation: &'static str,
        method: Method,
        url: Url,
        body: Option<&B>,
    ) -> Result<T> {
        let target = url.to_string();
        let failed = |error| unanswered(operation, &target, &method, error);
        let mut request = self.http.request(method.clone(), url).timeout(self.request_limit);
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            if bytes.len() + piece.len() > ANSWER_BYTES_MAX {
                let message = format!("the answer is longer than {ANSWER_BYTES_MAX} bytes");
                return Err(Error::new(ErrorKind::ResourceExhausted, operation, message).with_target(target));
            }
            bytes.extend_from_slice(&piece);
        }
        if !status.is_success() {
            return Err(refused(operation, &target, &method, status, &bytes));
        }
        let answer: Answer<T> = serde_json::from_slice(&bytes).map_err(|source| {
            Error::new(ErrorKind::Unsupported, operation, "the answer was not understood")
                .with_target(&target)
                .with_remedy("check that the URL is that of Qdrant's REST API")
                .with_source(source)
        })?;
        Ok(answer.result)
    }
}

/// The URL of a peer.
pub(super) fn base(text: &str) -> Result<Url> {
    let refuse = |message: String| {
        Error::new(ErrorKind::InvalidInput, "reach cluster", format!("urls: {message}"))
            .with_remedy("give the REST URL of each peer, such as http://qdrant-0:6333")
    };
    // The text may hold a password and is not shown.
    let url = Url::parse(text).map_err(|error| refuse(format!("one cannot be read: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refuse(format!("the scheme is {:?}, not http or https", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(
            refuse("one holds credentials or a query".to_owned()).with_remedy("give the key as api_key")
        );
    }
    Ok(url)
}

fn below(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    // Only URLs without a host have no path, which `base` refuses.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}
