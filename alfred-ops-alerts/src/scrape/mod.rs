//! Scraping: reads targets at their times and writes what they say into the store.

mod config;
#[cfg(feature = "http")]
#[path = "connector/enabled.rs"]
mod connector;
#[cfg(not(feature = "http"))]
#[path = "connector/disabled.rs"]
mod connector;
mod intake;
#[cfg(feature = "http")]
mod prometheus_jobs;
mod schedule;
mod status;
mod target;

pub use config::ScrapeConfig;
#[cfg(feature = "http")]
pub use prometheus_jobs::scrape_jobs;
pub use status::{TargetHealth, TargetStatus};
pub use target::Target;

pub(crate) use connector::Connector;
pub(crate) use intake::{Intake, Scrape, TakenScrape};
pub(crate) use schedule::next_run;
pub(crate) use target::Origin;
