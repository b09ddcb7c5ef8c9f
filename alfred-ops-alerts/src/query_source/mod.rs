//! Servers that queries are asked of.

mod memory;
#[cfg(feature = "http")]
mod prometheus;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod query_source;

pub use memory::MemoryQuerySource;
#[cfg(feature = "http")]
pub use prometheus::{PrometheusApi, PrometheusApiOptions};
#[cfg(any(test, feature = "testing"))]
pub use query_source::MockQuerySource;
pub use query_source::QuerySource;
