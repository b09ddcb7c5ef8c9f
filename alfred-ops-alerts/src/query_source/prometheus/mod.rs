//! Prometheus' HTTP API.

mod failure;
mod histogram;
mod options;
mod points;
mod prometheus_api;
mod reply;
mod result;

pub use options::PrometheusApiOptions;
pub use prometheus_api::PrometheusApi;

#[cfg(test)]
mod tests;
