//! How requests are made.

use std::collections::BTreeMap;

use super::{Authentication, Credential, TlsOptions};

/// How requests are made, to targets and to services that name targets.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HttpOptions {
    /// How we say who we are.
    pub authentication: Authentication,
    /// Whom we believe.
    pub tls: TlsOptions,
    /// Whether a redirect is followed. Credentials never follow to another host.
    pub follow_redirects: bool,
    /// Whether HTTP/2 may be spoken. It is kept for Prometheus; requests of ours speak HTTP/1.1.
    pub enable_http2: bool,
    /// The proxy that requests take. Its URL may hold credentials.
    pub proxy_url: Option<Credential>,
    /// Further headers, each with its values.
    pub headers: BTreeMap<String, Vec<Credential>>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            authentication: Authentication::None,
            tls: TlsOptions::default(),
            follow_redirects: true,
            enable_http2: true,
            proxy_url: None,
            headers: BTreeMap::new(),
        }
    }
}
