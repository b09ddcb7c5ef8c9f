//! A Cloud Monitoring API server.

mod alignment;
mod api_error;
mod enums;
mod fault;
mod filter;
mod monitored_series;
mod question;
mod server;
mod state;

pub use fault::MonitoringFault;
pub use monitored_series::MonitoredSeries;
pub use server::CloudMonitoringServer;
