//! Scraping: reads targets at their times and writes what they say into the store.

mod config;
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

pub(crate) use intake::{Intake, Scrape, TakenScrape};
#[cfg(feature = "http")]
pub(crate) use prometheus_jobs::jobs_of;
pub(crate) use schedule::next_run;
pub(crate) use target::Origin;
