//! Targets that a service names.

use std::time::Duration;

use alfred_ops_core::http::{Answer, Endpoint, Question, Requester};
use alfred_ops_core::{ClockExt as _, Error, ErrorKind, Result, SharedClock};
use async_trait::async_trait;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName};

use super::{Discovery, Found, json};
use crate::job::HttpDiscoveryConfig;

const OPERATION: &str = "ask for targets";
/// How large an answer may be.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Tells the service how often it is asked, as Prometheus does.
const REFRESH_HEADER: HeaderName = HeaderName::from_static("x-prometheus-refresh-interval-seconds");

/// Targets that a service names: a URL that answers with a JSON list of groups.
#[derive(Debug)]
pub struct HttpDiscovery {
    config: HttpDiscoveryConfig,
    endpoint: Endpoint,
    requester: Requester,
    clock: SharedClock,
}

impl HttpDiscovery {
    /// The targets that this service names. Reads the files that the options name for TLS, once.
    ///
    /// # Errors
    /// `InvalidInput` if the URL, a certificate or the proxy cannot be used.
    pub fn new(config: HttpDiscoveryConfig, clock: SharedClock) -> Result<Self> {
        let endpoint = Endpoint::public(&config.url, OPERATION)?;
        let requester = Requester::new(&config.http)?;
        Ok(Self { config, endpoint, requester, clock })
    }

    fn check_content_type(&self, answer: &Answer) -> Result<()> {
        let found =
            answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if is_json(found) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unsupported, OPERATION, format!("unsupported content type {found:?}"))
            .with_target(self.endpoint.shown())
            .with_remedy("let the service answer with application/json"))
    }
}

/// Whether a content type is JSON in UTF-8.
fn is_json(content_type: &str) -> bool {
    let (media, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let charset = parameters.trim_start().to_ascii_lowercase();
    media.eq_ignore_ascii_case("application/json")
        && (!content_type.contains(';') || matches!(&*charset, "charset=utf-8" | "charset=\"utf-8\""))
}

#[async_trait]
impl Discovery for HttpDiscovery {
    fn name(&self) -> &str {
        self.endpoint.shown()
    }

    fn poll_interval(&self) -> Duration {
        self.config.refresh_interval
    }

    async fn find(&self) -> Result<Found> {
        let interval = self.config.refresh_interval;
        let headers =
            [(ACCEPT, "application/json".to_owned()), (REFRESH_HEADER, interval.as_secs_f64().to_string())];
        let question = Question {
            operation: OPERATION,
            endpoint: &self.endpoint,
            headers: &headers,
            bytes_max: ANSWER_BYTES_MAX,
            limit_name: None,
            compressed: true,
        };
        // An answer that comes after the next question is due helps nobody.
        let asked = self.clock.timeout(interval, OPERATION, self.requester.get(&question));
        let answer = asked.await.map_err(|error| error.with_target(self.endpoint.shown()))??;
        self.check_content_type(&answer)?;
        let mut groups = json::read(&answer.body, &self.config.url).map_err(|what| {
            Error::new(
                ErrorKind::InvalidInput,
                OPERATION,
                format!("the answer is no list of targets: {what}"),
            )
            .with_target(self.endpoint.shown())
            .with_remedy("correct the service")
        })?;
        for group in &mut groups {
            group.labels.insert("__meta_url".to_owned(), self.config.url.clone());
        }
        Ok(Found::new(groups))
    }
}

#[cfg(test)]
mod tests {
    use super::is_json;

    #[test]
    fn content_types_are_those_that_prometheus_takes() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in
            ["", "text/plain", "application/json; charset=latin-1", "application/jsonp", "application/json;"]
        {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
