//! Tells an Alertmanager over HTTP.

use std::fmt;

use alfred_ops_core::http::{Endpoint, Question, Requester, failed_answer, kind_of};
use alfred_ops_core::{ClockExt as _, Error, ErrorKind, Result, SharedClock};
use async_trait::async_trait;

use super::HttpAlertmanagerOptions;
use crate::alertmanager::{Alertmanager, PostedAlert};

const OPERATION: &str = "send to Alertmanager";
/// Whatever a server has to say about a batch; more is a wrong server.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// As much of it goes into an error: the first few alerts that were refused.
const SAID_CHARS_MAX: usize = 1_000;

/// An Alertmanager, told over its API, version 2.
///
/// The path of its URL is kept: below `http://host/alerts` it is told at `/alerts/api/v2/alerts`. Redirects that keep what
/// was sent (307, 308) are followed if the options say so; credentials go to the first host only.
pub struct HttpAlertmanager {
    name: String,
    endpoint: Endpoint,
    requester: Requester,
    options: HttpAlertmanagerOptions,
    clock: SharedClock,
}

impl HttpAlertmanager {
    /// The Alertmanager at `base`; timeouts run on `clock`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) if the URL, a certificate or the proxy cannot be used, or the timeout is
    /// zero.
    pub fn new(base: &str, options: HttpAlertmanagerOptions, clock: SharedClock) -> Result<Self> {
        let base = Endpoint::public(base, OPERATION)?;
        if options.timeout.is_zero() {
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, "the timeout is zero")
                .with_target(base.shown())
                .with_remedy("leave it out for 10 s"));
        }
        Ok(Self {
            name: options.name.clone().unwrap_or_else(|| base.shown().trim_end_matches('/').to_owned()),
            endpoint: base.below(&["api", "v2", "alerts"]),
            requester: Requester::new(&options.http)?,
            options,
            clock,
        })
    }

    async fn exchange(&self, body: &[u8]) -> Result<()> {
        let question = Question {
            operation: OPERATION,
            endpoint: &self.endpoint,
            headers: &[],
            bytes_max: ANSWER_BYTES_MAX,
            limit_name: None,
            compressed: false,
        };
        let answer = self.requester.post_json(&question, body).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let said = said(&answer.body);
        let status = (answer.status, &answer.headers);
        Err(failed_answer(kind_of(answer.status), OPERATION, self.endpoint.shown(), status, &said))
    }
}

/// What an answer says, for people: the server's own words, in one line and cut off.
fn said(body: &[u8]) -> String {
    let text = match serde_json::from_slice(body) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Object(fields)) => {
            fields.get("message").and_then(|message| message.as_str()).unwrap_or_default().to_owned()
        }
        _ => String::from_utf8_lossy(body).into_owned(),
    };
    let line = text.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    line.take(SAID_CHARS_MAX).collect()
}

impl fmt::Debug for HttpAlertmanager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAlertmanager")
            .field("name", &self.name)
            .field("endpoint", &self.endpoint)
            .field("timeout", &self.options.timeout)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Alertmanager for HttpAlertmanager {
    fn name(&self) -> &str {
        &self.name
    }

    async fn post(&self, alerts: &[PostedAlert]) -> Result<()> {
        let body = serde_json::to_vec(alerts).map_err(|error| {
            Error::new(ErrorKind::Internal, OPERATION, "the alerts cannot be written").with_source(error)
        })?;
        let posted = self.clock.timeout(self.options.timeout, OPERATION, self.exchange(&body)).await;
        posted.map_err(|error| error.with_target(self.endpoint.shown())).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_kept_and_credentials_do_not_show() {
        let clock = alfred_ops_core::SystemClock::shared();
        let options = HttpAlertmanagerOptions::default().with_header("X-Scope-OrgID", "tenant");
        let one = HttpAlertmanager::new("http://me:secret@a:9093/alerts/", options, clock).unwrap();
        assert_eq!(one.endpoint.url().as_str(), "http://me:secret@a:9093/alerts/api/v2/alerts");
        assert_eq!(one.name(), "http://a:9093/alerts");
        let shown = format!("{one:?}");
        assert!(!shown.contains("secret") && !shown.contains("tenant"), "{shown}");
    }

    #[test]
    fn what_a_server_says_is_one_short_line() {
        assert_eq!(said(br#""bad\nlabel""#), "bad label");
        assert_eq!(said(br#"{"code":602,"message":"labels is required"}"#), "labels is required");
        assert_eq!(said(b" no JSON \n"), "no JSON");
        assert_eq!(said(&[b'x'; 5_000]).len(), SAID_CHARS_MAX);
    }
}
