//! Delivers by HTTP.

use std::fmt;
use std::time::Duration;

use alfred_ops_core::http::{Endpoint, failed_request, failed_status, plain_client};
use alfred_ops_core::{Error, ErrorKind, Result, Secret};
use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use super::body::Body;
use crate::notify::Notification;
use crate::sink::{AlertSink, Receipt};

const OPERATION: &str = "deliver to webhook";
/// A receiver that works longer than this on one notification is taken for stuck.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Carries the dedup key; the header that payment and messaging services use for the same purpose.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Posts notifications to anything that takes Alertmanager's webhook, version 4.
///
/// The dedup key goes into the header `Idempotency-Key`. Answers of 429 and 5xx are retried, after the delay
/// of `Retry-After` if there is one; other answers than 2xx are final. Timeouts run on the machine's clock.
/// The URL is treated as a secret but for its origin.
pub struct WebhookSink {
    name: String,
    endpoint: Endpoint,
    authorization: Option<Secret>,
    timeout: Duration,
    client: reqwest::Client,
}

impl WebhookSink {
    /// A sink named `webhook` that posts to `url`.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) if `url` is not an absolute http or https URL.
    pub fn new(url: impl Into<Secret>) -> Result<Self> {
        Ok(Self {
            name: "webhook".to_owned(),
            endpoint: Endpoint::secret(&url.into(), "make webhook sink")?,
            authorization: None,
            timeout: TIMEOUT,
            client: plain_client()?,
        })
    }

    /// Sets the name, which the body tells as `receiver`.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the value of the header `Authorization`, such as `Bearer …`.
    #[must_use]
    pub fn with_authorization(mut self, authorization: impl Into<Secret>) -> Self {
        self.authorization = Some(authorization.into());
        self
    }

    /// Sets how long one attempt may take.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn request(&self, notification: &Notification) -> Result<reqwest::RequestBuilder> {
        let invalid = |what: &str| {
            Error::new(ErrorKind::InvalidInput, OPERATION, format!("{what} cannot be sent as a header"))
                .with_target(self.endpoint.shown())
        };
        let body = serde_json::to_vec(&Body::new(notification, &self.name)).map_err(|error| {
            Error::new(ErrorKind::Internal, OPERATION, "the body cannot be written").with_source(error)
        })?;
        let key = HeaderValue::from_str(&notification.dedup_key).map_err(|_| invalid("the dedup key"))?;
        let mut request = self
            .client
            .post(self.endpoint.url())
            .timeout(self.timeout)
            .header(CONTENT_TYPE, "application/json")
            .header(IDEMPOTENCY_KEY, key)
            .body(body);
        if let Some(authorization) = &self.authorization {
            let mut value =
                HeaderValue::from_str(authorization.expose()).map_err(|_| invalid("the authorization"))?;
            value.set_sensitive(true);
            request = request.header(reqwest::header::AUTHORIZATION, value);
        }
        Ok(request)
    }
}

impl fmt::Debug for WebhookSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSink")
            .field("name", &self.name)
            .field("endpoint", &self.endpoint)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl AlertSink for WebhookSink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&self, notification: &Notification) -> Result<Receipt> {
        let shown = self.endpoint.shown();
        let request = self.request(notification)?;
        let answer = request.send().await.map_err(|error| failed_request(OPERATION, shown, error))?;
        if answer.status().is_success() {
            return Ok(Receipt::accepted());
        }
        Err(failed_status(OPERATION, shown, answer.status(), answer.headers()))
    }
}
