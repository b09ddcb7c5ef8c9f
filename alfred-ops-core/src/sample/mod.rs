//! The sample model: what a metric said, about what, and when.

mod change_signal;
mod labels;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod sample;
mod source;

pub use change_signal::{ChangeSignal, Changes};
pub use labels::Labels;
pub use sample::Sample;
pub use source::{ClosureSource, MetricSource};

#[cfg(any(test, feature = "testing"))]
pub use source::MockMetricSource;
