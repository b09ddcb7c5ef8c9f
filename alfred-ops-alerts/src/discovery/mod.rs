//! Finding targets: places that are asked again and again for the full present list.

#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod discovery;
#[cfg(feature = "dns")]
mod dns;
#[cfg(feature = "config")]
mod file;
mod fixed;
#[cfg(feature = "http")]
mod http;
mod job_targets;
#[cfg(any(feature = "http", feature = "config"))]
mod json;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod open;

#[cfg(any(test, feature = "testing"))]
pub use discovery::MockDiscovery;
pub use discovery::{Discovery, Found};
#[cfg(feature = "dns")]
pub use dns::DnsDiscovery;
#[cfg(feature = "config")]
pub use file::FileDiscovery;
#[cfg(feature = "config")]
pub(crate) use file::files as matching_files;
pub use fixed::StaticDiscovery;
#[cfg(feature = "http")]
pub use http::HttpDiscovery;
pub use job_targets::JobTargets;
#[cfg(feature = "kubernetes")]
pub use kubernetes::KubernetesDiscovery;
pub use open::open;
