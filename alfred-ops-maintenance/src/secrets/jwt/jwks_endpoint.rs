//! A key document that is asked for over HTTP.

use std::net::IpAddr;
use std::time::Duration;

use alfred_ops_core::http::{Endpoint, HttpOptions, Question, Requester};
use alfred_ops_core::{ClockExt as _, Error, ErrorKind, Result, SharedClock};
use async_trait::async_trait;
use reqwest::header::{ACCEPT, AGE, CACHE_CONTROL, HeaderMap, HeaderName};

use super::key_set::DOCUMENT_BYTES_MAX;
use super::{JwksDocument, JwksSource};

const OPERATION: &str = "fetch key set";
/// Verifications wait for the answer when the kept keys are too old.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// An answer that says nothing of its age is kept for so long.
const KEEP: Duration = Duration::from_secs(60);

/// The key document at a URL, for a [`Verifier`](super::Verifier) of tokens that another process signs.
///
/// It follows no redirect and repeats nothing. What the server's `cache-control` and `age` allow is how long the document may be
/// kept; one without them is kept for a minute.
#[derive(Debug)]
pub struct JwksEndpoint {
    endpoint: Endpoint,
    requester: Requester,
    clock: SharedClock,
}

impl JwksEndpoint {
    /// The document at `url`, such as `https://auth.example/.well-known/jwks.json`. Nothing is asked yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the URL is none, or not of HTTPS and not on this host: whoever could change the answer on
    /// its way could sign tokens; and if a certificate of `http` cannot be used.
    pub fn new(url: &str, http: &HttpOptions, clock: SharedClock) -> Result<Self> {
        let endpoint = Endpoint::public(url, OPERATION)?;
        let parsed = endpoint.url();
        let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        if parsed.scheme() != "https" && !is_here {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                OPERATION,
                "url: keys over plain HTTP can be changed on their way",
            )
            .with_target(endpoint.shown())
            .with_remedy("give a URL of https"));
        }
        let mut http = http.clone();
        http.follow_redirects = false;
        Ok(Self { requester: Requester::new(&http)?, endpoint, clock })
    }
}

#[async_trait]
impl JwksSource for JwksEndpoint {
    async fn fetch(&self) -> Result<JwksDocument> {
        let accept: [(HeaderName, String); 1] =
            [(ACCEPT, format!("{}, application/json", JwksDocument::CONTENT_TYPE))];
        let question = Question {
            operation: OPERATION,
            endpoint: &self.endpoint,
            headers: &accept,
            bytes_max: DOCUMENT_BYTES_MAX,
            limit_name: None,
            compressed: true,
        };
        let asked = self.clock.timeout(REQUEST_LIMIT, OPERATION, self.requester.get(&question)).await;
        let answer = asked.flatten().map_err(|error| error.with_target(self.endpoint.shown()))?;
        let max_age = kept_for(&answer.headers);
        let body = String::from_utf8(answer.body).map_err(|_| {
            Error::new(ErrorKind::Unsupported, OPERATION, "the answer is no text")
                .with_target(self.endpoint.shown())
                .with_remedy("check the URL")
        })?;
        Ok(JwksDocument::new(body, max_age))
    }
}

/// How long the answer may still be kept: of its time, caches between us may have used a part.
fn kept_for(headers: &HeaderMap) -> Duration {
    let texts = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let words: Vec<String> =
        texts.flat_map(|text| text.split(',')).map(|word| word.trim().to_ascii_lowercase()).collect();
    if words.iter().any(|word| word == "no-store" || word == "no-cache") {
        return Duration::ZERO;
    }
    let seconds = |text: &str| text.trim().trim_matches('"').parse().ok().map(Duration::from_secs);
    let Some(max) = words.iter().find_map(|word| word.strip_prefix("max-age=").and_then(seconds)) else {
        return KEEP;
    };
    let age = headers.get(AGE).and_then(|value| seconds(value.to_str().ok()?)).unwrap_or_default();
    max.saturating_sub(age)
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::SystemClock;

    use super::*;

    fn check(headers: &[(HeaderName, &str)], seconds: u64) {
        let map = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        assert_eq!(kept_for(&map), Duration::from_secs(seconds), "{headers:?}");
    }

    #[test]
    fn a_document_is_kept_for_what_its_headers_allow() {
        check(&[], 60);
        check(&[(CACHE_CONTROL, "public, max-age=150")], 150);
        check(&[(CACHE_CONTROL, "Public , MAX-AGE=\"150\"")], 150);
        check(&[(CACHE_CONTROL, "max-age=150"), (AGE, "100")], 50);
        check(&[(CACHE_CONTROL, "max-age=150"), (AGE, "200")], 0);
        check(&[(CACHE_CONTROL, "max-age=150, no-cache")], 0);
        check(&[(CACHE_CONTROL, "no-store")], 0);
        check(&[(CACHE_CONTROL, "max-age=soon"), (AGE, "-1")], 60);
    }

    #[test]
    fn keys_come_over_https_or_from_this_host() {
        let new = |url: &str| JwksEndpoint::new(url, &HttpOptions::default(), SystemClock::shared());
        for url in
            ["https://auth.example/jwks", "http://127.0.0.1:1/jwks", "http://[::1]:1/", "http://localhost/"]
        {
            new(url).unwrap();
        }
        for url in ["http://auth.example/jwks", "http://10.0.0.1/", "http://localhost.example/", "no url"] {
            assert_eq!(new(url).unwrap_err().kind(), ErrorKind::InvalidInput, "{url}");
        }
    }
}
