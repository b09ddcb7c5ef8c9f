//! A scrape job as Prometheus has them: where its targets are found, and how they are scraped.

mod dns;
pub(crate) mod duration;
mod kubernetes;
mod limits;
mod protocol;
mod scheme;
mod scrape_job;
mod sources;
mod target_group;

pub use alfred_ops_core::http::{Authentication, Credential, HttpOptions, TlsOptions};
pub use dns::{DnsDiscoveryConfig, DnsRecord};
pub use kubernetes::KubernetesDiscoveryConfig;
pub use limits::JobLimits;
pub use protocol::ScrapeProtocol;
pub use scheme::Scheme;
pub use scrape_job::ScrapeJob;
pub use sources::{DiscoveryConfig, FileDiscoveryConfig, HttpDiscoveryConfig};
pub use target_group::TargetGroup;
