//! How a server is asked.

use std::time::Duration;

use alfred_ops_core::Secret;

use crate::job::{Authentication, Credential, HttpOptions};

/// As rules of a fleet are asked: a query that takes longer is wrong, or the server is.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Some 500,000 series of a dozen labels. An answer in memory is a few times larger than its text.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Ten times as many alerts as one rule may have.
const SERIES_MAX: usize = 100_000;

/// How a server is asked, and how much it may answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PrometheusApiOptions {
    /// What the source is called; by its URL, without credentials, if not given.
    pub name: Option<String>,
    /// Credentials, further headers such as `X-Scope-OrgID`, TLS, proxy.
    pub http: HttpOptions,
    /// How long a question may take from the connection to the end of the answer. The server is told, so that it does not
    /// work on what nobody waits for.
    pub timeout: Duration,
    /// Further parameters of every question, such as `partial_response`, `dedup` or `extra_label`. They show in `Debug`:
    /// what is secret belongs into a header.
    pub parameters: Vec<(String, String)>,
    /// How many bytes an answer may have, unpacked.
    pub answer_bytes_max: usize,
    /// How many series an answer may have.
    pub series_max: usize,
}

impl Default for PrometheusApiOptions {
    /// No credentials, 30 s, 64 MiB, 100,000 series.
    fn default() -> Self {
        Self {
            name: None,
            http: HttpOptions::default(),
            timeout: TIMEOUT,
            parameters: Vec::new(),
            answer_bytes_max: ANSWER_BYTES_MAX,
            series_max: SERIES_MAX,
        }
    }
}

impl PrometheusApiOptions {
    /// Sets what the source is called.
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

    /// Adds a parameter to every question. A name may be added several times.
    #[must_use]
    pub fn with_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Sets how long a question may take.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many bytes an answer may have.
    #[must_use]
    pub const fn with_answer_bytes_max(mut self, bytes: usize) -> Self {
        self.answer_bytes_max = bytes;
        self
    }

    /// Sets how many series an answer may have.
    #[must_use]
    pub const fn with_series_max(mut self, series: usize) -> Self {
        self.series_max = series;
        self
    }
}
