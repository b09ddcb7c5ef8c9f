//! What the library tells about itself.

mod family;
mod metrics;

pub use family::{Counter, CounterFamily, Gauge, GaugeFamily, Histogram, HistogramFamily};
pub use metrics::Metrics;
