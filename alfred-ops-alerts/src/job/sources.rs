//! Where a job's targets are found.

use std::path::PathBuf;
use std::time::Duration;

use super::{DnsDiscoveryConfig, HttpOptions, KubernetesDiscoveryConfig, TargetGroup};

/// Where targets of a job are found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum DiscoveryConfig {
    /// They are written down here.
    Static(Vec<TargetGroup>),
    /// They are written down in files.
    File(FileDiscoveryConfig),
    /// A service names them.
    Http(HttpDiscoveryConfig),
    /// The domain name system names them.
    Dns(DnsDiscoveryConfig),
    /// They run in a Kubernetes cluster.
    Kubernetes(KubernetesDiscoveryConfig),
}

impl DiscoveryConfig {
    /// Its key in a configuration file.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Static(_) => "static_configs",
            Self::File(_) => "file_sd_configs",
            Self::Http(_) => "http_sd_configs",
            Self::Dns(_) => "dns_sd_configs",
            Self::Kubernetes(_) => "kubernetes_sd_configs",
        }
    }

    /// Its place among the others of a job.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Static(_) => 0,
            Self::File(_) => 1,
            Self::Http(_) => 2,
            Self::Dns(_) => 3,
            Self::Kubernetes(_) => 4,
        }
    }
}

/// Targets that are written down in files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileDiscoveryConfig {
    /// The files; `*`, `?` and `[…]` in the last part stand for many. JSON by `.json`, YAML by `.yml`, `.yaml`.
    pub files: Vec<PathBuf>,
    /// How often they are read even if nothing seems changed.
    pub refresh_interval: Duration,
}

impl FileDiscoveryConfig {
    /// These files, read at least every 5 min.
    #[must_use]
    pub fn new<P: Into<PathBuf>>(files: impl IntoIterator<Item = P>) -> Self {
        Self {
            files: files.into_iter().map(Into::into).collect(),
            refresh_interval: Duration::from_secs(300),
        }
    }
}

/// Targets that a service names: a URL that answers with a JSON list of groups.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HttpDiscoveryConfig {
    /// The URL. It is shown as `__meta_url`, so it must hold no secret.
    pub url: String,
    /// How often it is asked.
    pub refresh_interval: Duration,
    /// How it is asked.
    pub http: HttpOptions,
}

impl HttpDiscoveryConfig {
    /// This URL, asked every minute.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), refresh_interval: Duration::from_secs(60), http: HttpOptions::default() }
    }
}
