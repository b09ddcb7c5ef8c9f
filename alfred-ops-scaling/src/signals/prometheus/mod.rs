//! Answers of Prometheus and whatever speaks its HTTP API.

mod options;
mod prometheus_query;
mod prometheus_source;
mod reply;

pub use options::PrometheusOptions;
pub use prometheus_query::PrometheusQuery;
pub use prometheus_source::PrometheusSource;
