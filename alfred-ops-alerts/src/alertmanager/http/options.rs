//! How an Alertmanager is reached.

use std::time::Duration;

use alfred_ops_core::Secret;

use crate::job::{Authentication, Credential, HttpOptions};

/// As long as a Prometheus waits.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How an Alertmanager is reached.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HttpAlertmanagerOptions {
    /// What it is called; by its URL, without credentials, if not given.
    pub name: Option<String>,
    /// Credentials, further headers, TLS, proxy.
    pub http: HttpOptions,
    /// How long telling it of one batch may take from the connection to the end of the answer.
    pub timeout: Duration,
}

impl Default for HttpAlertmanagerOptions {
    /// No credentials, 10 s.
    fn default() -> Self {
        Self { name: None, http: HttpOptions::default(), timeout: TIMEOUT }
    }
}

impl HttpAlertmanagerOptions {
    /// Sets what it is called.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets how requests are made.
    #[must_use]
    pub fn with_http(mut self, http: HttpOptions) -> Self {
        self.http = http;
        self
    }

    /// Sets how we say who we are.
    #[must_use]
    pub fn with_authentication(mut self, authentication: Authentication) -> Self {
        self.http.authentication = authentication;
        self
    }

    /// Adds a header, such as the tenant's `X-Scope-OrgID`.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.http.headers.entry(name.into()).or_default().push(Credential::Inline(value.into()));
        self
    }

    /// Sets how long telling it of one batch may take.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}
