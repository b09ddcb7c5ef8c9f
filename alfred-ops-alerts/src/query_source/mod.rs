//! Servers that queries are asked of.

mod memory;
#[cfg(feature = "http")]
mod prometheus;
mod query_source;

pub use memory::MemoryQuerySource;
#[cfg(feature = "http")]
pub use prometheus::{PrometheusApi, PrometheusApiOptions};
#[cfg(any(test, feature = "testing"))]
pub use query_source::MockQuerySource;
pub use query_source::QuerySource;
