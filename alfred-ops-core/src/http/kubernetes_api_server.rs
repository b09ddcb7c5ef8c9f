//! Where a Kubernetes API server is, and how it is spoken to.

use std::path::{Path, PathBuf};

use super::{Authentication, Credential, HttpOptions};
use crate::{Error, ErrorKind, Result};

/// Where a pod finds what it is known by.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Where a Kubernetes API server is, and how it is spoken to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct KubernetesApiServer {
    /// Its URL, without a slash at its end.
    pub url: String,
    /// Who we are and whom we believe.
    pub http: HttpOptions,
}

impl KubernetesApiServer {
    /// A server that is asked without credentials, such as `kubectl proxy`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), http: HttpOptions::default() }
    }

    /// With options of its own: certificates, another name to expect.
    #[must_use]
    pub fn with_http(mut self, http: HttpOptions) -> Self {
        self.http = http;
        self
    }

    /// With a token. One in a file is read anew for each request, so that it may be replaced.
    #[must_use]
    pub fn with_token(mut self, token: Credential) -> Self {
        self.http.authentication =
            Authentication::Header { kind: "Bearer".to_owned(), credentials: Some(token) };
        self
    }

    /// The server of the cluster in which this process runs, with the pod's service account: its token is read for each
    /// request, since the kubelet replaces it every hour.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if this process runs in no pod.
    pub fn of_this_pod() -> Result<Self> {
        let variable =
            |name: &str| std::env::var(name).map_err(|_| outside(format!("the variable {name} is not set")));
        let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let mut server =
            Self::new(&format!("https://{host}:{port}")).with_token(Credential::File(account_file("token")));
        server.http.tls.authorities = Some(Credential::File(account_file("ca.crt")));
        Ok(server)
    }

    /// The namespace in which this process runs.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if this process runs in no pod.
    pub fn namespace_of_this_pod() -> Result<String> {
        let path = account_file("namespace");
        let text = std::fs::read_to_string(&path)
            .map_err(|source| outside(format!("{} cannot be read", path.display())).with_source(source))?;
        Ok(text.trim().to_owned())
    }
}

fn account_file(name: &str) -> PathBuf {
    Path::new(SERVICE_ACCOUNT).join(name)
}

fn outside(what: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "find API server", format!("this process runs in no pod: {what}"))
        .with_remedy("set api_server, or namespaces by name")
}
