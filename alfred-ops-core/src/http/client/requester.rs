//! Requests as options ask for them.

use crate::{Error, ErrorKind, Result};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};

use super::body::{Body, BodyFault};
use super::{Endpoint, failed_request, failed_status, headers, tls};
use crate::http::{Credential, HttpOptions};

/// As many as Go's client follows.
const REDIRECTS_MAX: usize = 10;
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Makes requests as options ask for them. All requests share one client and its connections.
///
/// Files with credentials are read anew for each request, so that they may be replaced. Nothing is repeated.
#[derive(Debug)]
pub struct Requester {
    client: reqwest::Client,
    options: HttpOptions,
}

/// One request.
#[derive(Debug)]
pub struct Question<'a> {
    /// What errors call it: a verb phrase.
    pub operation: &'static str,
    /// What is asked.
    pub endpoint: &'a Endpoint,
    /// Further headers, beside those of the options.
    pub headers: &'a [(HeaderName, String)],
    /// How many bytes the answer may have, unpacked.
    pub bytes_max: usize,
    /// The option that sets this limit, if one does.
    pub limit_name: Option<&'static str>,
    /// Whether the answer may come packed.
    pub compressed: bool,
}

/// What is sent along.
#[derive(Debug)]
pub struct Payload<'a> {
    /// Its media type.
    pub content_type: &'static str,
    /// The payload itself.
    pub bytes: &'a [u8],
}

/// What a request was answered with.
#[derive(Debug)]
pub struct Answer {
    /// Its status, not always one of success.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, unpacked and in full.
    pub body: Vec<u8>,
}

impl Requester {
    /// A requester. Reads the files that the options name for TLS, once.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if a certificate, a key or the proxy cannot be used.
    pub fn new(options: &HttpOptions) -> Result<Self> {
        let mut builder = super::builder::builder();
        if let Some(config) = tls::config(&options.tls)? {
            builder = builder.tls_backend_preconfigured(config);
        }
        if let Some(Credential::Inline(url)) = &options.proxy_url {
            let proxy = reqwest::Proxy::all(url.expose()).map_err(|source| {
                Error::new(ErrorKind::InvalidInput, "build HTTP client", "proxy_url is no URL")
                    .with_remedy("write one such as http://proxy:3128")
                    .with_source(source.without_url())
            })?;
            builder = builder.proxy(proxy);
        }
        Ok(Self { client: super::builder::built(builder)?, options: options.clone() })
    }

    /// Asks, follows redirects where the options say so, and reads an answer of status 200 in full.
    ///
    /// Credentials and further headers go to the first host only. There is no timeout here: drop the future.
    ///
    /// # Errors
    /// As of [`send`](Self::send); for any other status that of [`failed_status`].
    pub async fn get(&self, question: &Question<'_>) -> Result<Answer> {
        let answer = self.exchange(question, &Method::GET, None).await?;
        if answer.status() != StatusCode::OK {
            let shown = question.endpoint.shown();
            return Err(failed_status(question.operation, shown, answer.status(), answer.headers()));
        }
        read(question, answer).await
    }

    /// Sends a form, and else does as [`send`](Self::send).
    ///
    /// # Errors
    /// As of [`send`](Self::send).
    pub async fn post(&self, question: &Question<'_>, form: &str) -> Result<Answer> {
        let form = Payload { content_type: FORM, bytes: form.as_bytes() };
        self.send(question, &Method::POST, Some(&form)).await
    }

    /// Sends JSON, and else does as [`send`](Self::send).
    ///
    /// # Errors
    /// As of [`send`](Self::send).
    pub async fn post_json(&self, question: &Question<'_>, json: &[u8]) -> Result<Answer> {
        self.send(question, &Method::POST, Some(&Payload { content_type: JSON, bytes: json })).await
    }

    /// Makes a request and reads the answer in full, whatever its status. Only redirects that keep what is sent along are
    /// followed, where the options say so.
    ///
    /// Credentials and further headers go to the first host only. There is no timeout here: drop the future, after which the
    /// request may have arrived.
    ///
    /// # Errors
    /// Those of [`failed_request`] if there is no answer; [`ErrorKind::PermissionDenied`] if a file with credentials cannot be
    /// read; [`ErrorKind::ResourceExhausted`] for an answer beyond the question's limit; [`ErrorKind::Unsupported`] or
    /// [`ErrorKind::InvalidInput`] for one that cannot be unpacked.
    pub async fn send(
        &self,
        question: &Question<'_>,
        method: &Method,
        payload: Option<&Payload<'_>>,
    ) -> Result<Answer> {
        let answer = self.exchange(question, method, payload).await?;
        read(question, answer).await
    }

    async fn exchange(
        &self,
        question: &Question<'_>,
        method: &Method,
        payload: Option<&Payload<'_>>,
    ) -> Result<Response> {
        let first = question.endpoint.url();
        let (mut url, mut at_home) = (first.clone(), true);
        for _ in 0..=REDIRECTS_MAX {
            at_home &= url.origin() == first.origin();
            let answer = self.ask_once(question, (method, payload), url.clone(), at_home).await?;
            if !self.options.follow_redirects || !is_redirect(answer.status(), *method != Method::GET) {
                return Ok(answer);
            }
            url = next(question, &url, &answer)?;
        }
        let message = format!("it redirects more than {REDIRECTS_MAX} times");
        Err(Error::new(ErrorKind::Unsupported, question.operation, message)
            .with_target(question.endpoint.shown())
            .with_remedy("give the URL it redirects to"))
    }

    async fn ask_once(
        &self,
        question: &Question<'_>,
        (method, payload): (&Method, Option<&Payload<'_>>),
        url: Url,
        at_home: bool,
    ) -> Result<Response> {
        let shown = question.endpoint.shown();
        let mut request = self.client.request(method.clone(), url);
        if let Some(Payload { content_type, bytes }) = payload {
            request = request.header(CONTENT_TYPE, *content_type).body(bytes.to_vec());
        }
        for (name, value) in question.headers {
            request = request.header(name, value);
        }
        request = request.header(ACCEPT_ENCODING, if question.compressed { "gzip" } else { "identity" });
        if at_home {
            request = headers::add(request, &self.options)
                .await
                .map_err(|error| if error.target().is_some() { error } else { error.with_target(shown) })?;
        }
        request.send().await.map_err(|error| failed_request(question.operation, shown, error))
    }
}

/// Whether to go where an answer points to. Behind the first three what was sent along would be lost.
fn is_redirect(status: StatusCode, changes: bool) -> bool {
    matches!(status.as_u16(), 307 | 308) || (!changes && matches!(status.as_u16(), 301..=303))
}

fn next(question: &Question<'_>, url: &Url, answer: &Response) -> Result<Url> {
    let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let joined = location.and_then(|location| url.join(location).ok());
    joined.filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some()).ok_or_else(
        || {
            Error::new(ErrorKind::Unsupported, question.operation, "it redirects to no HTTP URL")
                .with_target(question.endpoint.shown())
                .with_remedy("give the URL it redirects to")
        },
    )
}

async fn read(question: &Question<'_>, mut answer: Response) -> Result<Answer> {
    let (operation, shown) = (question.operation, question.endpoint.shown());
    let encoding =
        answer.headers().get(CONTENT_ENCODING).map(|encoding| encoding.as_bytes().to_ascii_lowercase());
    let packed = match encoding.as_deref() {
        None | Some(b"" | b"identity") => false,
        Some(b"gzip" | b"x-gzip") => true,
        Some(other) => {
            let message = format!("the answer is encoded as {:?}", String::from_utf8_lossy(other));
            return Err(Error::new(ErrorKind::Unsupported, operation, message)
                .with_target(shown)
                .with_remedy("let it answer with gzip or nothing"));
        }
    };
    let mut body = Body::new(packed, question.bytes_max);
    while let Some(piece) = answer.chunk().await.map_err(|error| failed_request(operation, shown, error))? {
        body.push(&piece).map_err(|fault| failed_body(question, fault))?;
    }
    let status = answer.status();
    let headers = std::mem::take(answer.headers_mut());
    Ok(Answer { status, headers, body: body.finish().map_err(|fault| failed_body(question, fault))? })
}

fn failed_body(question: &Question<'_>, fault: BodyFault) -> Error {
    let shown = question.endpoint.shown();
    match fault {
        BodyFault::TooLong => {
            let message = format!("the answer is longer than {} bytes", question.bytes_max);
            Error::new(ErrorKind::ResourceExhausted, question.operation, message)
                .with_target(shown)
                .with_remedy(match question.limit_name {
                    Some(name) => format!("make it smaller or raise {name}"),
                    None => "make it smaller".to_owned(),
                })
        }
        BodyFault::Malformed(source) => {
            Error::new(ErrorKind::InvalidInput, question.operation, "the answer cannot be unpacked")
                .with_target(shown)
                .with_source(source)
        }
    }
}
