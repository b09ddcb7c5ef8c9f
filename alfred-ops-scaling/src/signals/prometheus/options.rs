//! How a server is asked.

use std::time::Duration;

use alfred_ops_core::Secret;
use alfred_ops_core::http::{Authentication, Credential, HttpOptions};

/// Shorter than the pause between two looks of most policies.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How a server is asked.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PrometheusOptions {
    /// Credentials, further headers, TLS, proxy.
    pub http: HttpOptions,
    /// How long all queries of one look may take together. The server is told, too.
    pub timeout: Duration,
    /// Whether an answer with warnings counts. By default it does not: a warning mostly says that a part is missing, and a
    /// part of a backlog is no backlog.
    pub warnings_accepted: bool,
}

impl Default for PrometheusOptions {
    /// No credentials, 10 s, no warnings.
    fn default() -> Self {
        Self { http: HttpOptions::default(), timeout: TIMEOUT, warnings_accepted: false }
    }
}

impl PrometheusOptions {
    /// Sets how requests are made.
    #[must_use]
    pub fn with_http(mut self, http: HttpOptions) -> Self {
        self.http = http;
        self
    }

    /// Says who we are by a token, in place or in a file that is read anew for each query.
    #[must_use]
    pub fn with_bearer(mut self, token: Credential) -> Self {
        self.http.authentication =
            Authentication::Header { kind: "Bearer".to_owned(), credentials: Some(token) };
        self
    }

    /// Says who we are by name and password.
    #[must_use]
    pub fn with_basic(mut self, username: impl Into<String>, password: Credential) -> Self {
        let username = Credential::Inline(Secret::new(username));
        self.http.authentication = Authentication::Basic { username, password: Some(password) };
        self
    }

    /// Adds a header, such as the tenant's `X-Scope-OrgID`.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.http.headers.entry(name.into()).or_default().push(Credential::Inline(value.into()));
        self
    }

    /// Sets how long all queries of one look may take together.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Lets answers with warnings count.
    #[must_use]
    pub const fn accepting_warnings(mut self) -> Self {
        self.warnings_accepted = true;
        self
    }
}
