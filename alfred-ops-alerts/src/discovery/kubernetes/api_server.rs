//! Where the API server is, and how it is spoken to.

use std::path::{Path, PathBuf};

use alfred_ops_core::{Error, ErrorKind, Result};

use crate::job::{Authentication, Credential, HttpOptions, KubernetesDiscoveryConfig};

/// Where a pod finds what it is known by.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Where the API server is, and how it is spoken to.
#[derive(Debug)]
pub(super) struct ApiServer {
    pub(super) url: String,
    pub(super) http: HttpOptions,
}

impl ApiServer {
    /// The server that the configuration names, or that of the cluster in which this process runs.
    pub(super) fn of(config: &KubernetesDiscoveryConfig) -> Result<Self> {
        match &config.api_server {
            Some(url) => Ok(Self { url: url.trim_end_matches('/').to_owned(), http: config.http.clone() }),
            None => Self::of_this_cluster(),
        }
    }

    fn of_this_cluster() -> Result<Self> {
        let variable =
            |name: &str| std::env::var(name).map_err(|_| outside(format!("the variable {name} is not set")));
        let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let mut http = HttpOptions {
            authentication: Authentication::Header {
                kind: "Bearer".to_owned(),
                credentials: Some(Credential::File(account_file("token"))),
            },
            ..HttpOptions::default()
        };
        http.tls.authorities = Some(Credential::File(account_file("ca.crt")));
        Ok(Self { url: format!("https://{host}:{port}"), http })
    }
}

/// The namespace in which this process runs.
pub(super) fn own_namespace() -> Result<String> {
    let path = account_file("namespace");
    let text = std::fs::read_to_string(&path)
        .map_err(|source| outside(format!("{} cannot be read", path.display())).with_source(source))?;
    Ok(text.trim().to_owned())
}

fn account_file(name: &str) -> PathBuf {
    Path::new(SERVICE_ACCOUNT).join(name)
}

fn outside(what: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "find API server", format!("this process runs in no pod: {what}"))
        .with_remedy("set api_server, or namespaces by name")
}
