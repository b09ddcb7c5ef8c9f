//! The loop between signals, kernel and platform.

#[expect(clippy::module_inception, reason = "one main type per file, and the file is named after it")]
mod autoscaler;
mod keeper;
mod meters;
mod signals;
mod workload;

pub use autoscaler::Autoscaler;
#[cfg(any(test, feature = "testing"))]
pub use signals::MockSignalSource;
pub use signals::{SignalSource, Signals};
pub use workload::Workload;
