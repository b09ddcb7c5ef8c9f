//! Prometheus' configuration file: read into types, all mistakes at once, and written.

mod bytes;
mod config;
mod form;
mod problem;
mod read_discovery;
mod read_global;
mod read_http;
mod read_job;
mod read_options;
mod read_relabel;
mod report;
mod target_groups;
mod write_http;
mod write_job;

pub use config::{GlobalConfig, PrometheusConfig};
pub use problem::{FileProblem, FileProblems};
pub use read_options::ReadOptions;

pub(crate) use form::{Form, scalar};
pub(crate) use report::Report;
pub(crate) use target_groups::read_target_groups;

#[cfg(test)]
mod tests;
