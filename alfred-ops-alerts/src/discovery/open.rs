//! From what a job says to what is asked.

use std::sync::Arc;

use alfred_ops_core::{Result, SharedClock};

use super::{Discovery, StaticDiscovery};
use crate::job::{DiscoveryConfig, ScrapeJob};

/// What finds the targets of `job`, in the job's order. Reads files with certificates, so it blocks.
///
/// # Errors
/// `Unsupported`, naming the feature, where this build cannot ask such a place; `InvalidInput` where an address
/// or certificate cannot be used.
pub fn open(job: &ScrapeJob, clock: &SharedClock) -> Result<Vec<Arc<dyn Discovery>>> {
    let opened = job.discoveries.iter().map(|discovery| open_one(discovery, clock));
    opened
        .map(|opened| {
            opened.map_err(
                |error| if error.target().is_some() { error } else { error.with_target(job.name.clone()) },
            )
        })
        .collect()
}

fn open_one(discovery: &DiscoveryConfig, clock: &SharedClock) -> Result<Arc<dyn Discovery>> {
    #[cfg(not(all(feature = "config", feature = "http", feature = "dns", feature = "kubernetes")))]
    let absent = |feature: &str| {
        Err(alfred_ops_core::Error::new(
            alfred_ops_core::ErrorKind::Unsupported,
            "find targets",
            format!("this build cannot ask such a place: {}", discovery.key()),
        )
        .with_remedy(format!("enable the feature `{feature}` of alfred-ops-alerts")))
    };
    let _ = clock;
    match discovery {
        DiscoveryConfig::Static(groups) => Ok(Arc::new(StaticDiscovery::new(groups.clone()))),
        #[cfg(feature = "config")]
        DiscoveryConfig::File(config) => {
            Ok(Arc::new(super::FileDiscovery::new(config.clone(), Arc::clone(clock))))
        }
        #[cfg(not(feature = "config"))]
        DiscoveryConfig::File(_) => absent("config"),
        #[cfg(feature = "http")]
        DiscoveryConfig::Http(config) => {
            Ok(Arc::new(super::HttpDiscovery::new(config.clone(), Arc::clone(clock))?))
        }
        #[cfg(not(feature = "http"))]
        DiscoveryConfig::Http(_) => absent("http"),
        #[cfg(feature = "dns")]
        DiscoveryConfig::Dns(config) => Ok(Arc::new(super::DnsDiscovery::new(config.clone())?)),
        #[cfg(not(feature = "dns"))]
        DiscoveryConfig::Dns(_) => absent("dns"),
        #[cfg(feature = "kubernetes")]
        DiscoveryConfig::Kubernetes(config) => {
            Ok(Arc::new(super::KubernetesDiscovery::new(config, Arc::clone(clock))?))
        }
        #[cfg(not(feature = "kubernetes"))]
        DiscoveryConfig::Kubernetes(_) => absent("kubernetes"),
    }
}
