//! Jobs: targets that are found, come and go.

#[cfg(feature = "http")]
#[path = "enabled.rs"]
mod backend;
#[cfg(not(feature = "http"))]
#[path = "disabled.rs"]
mod backend;
#[cfg(feature = "http")]
mod job_scraper;

pub(super) use backend::Jobs;
