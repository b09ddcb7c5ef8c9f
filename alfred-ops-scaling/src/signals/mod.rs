//! Where signals come from.

mod first_known;
mod metric_signals;
mod pick;
#[cfg(feature = "postgres")]
mod postgres_tasks;
mod source;
mod workload;

pub use first_known::FirstKnown;
pub use metric_signals::MetricSignals;
pub use pick::Pick;
#[cfg(feature = "postgres")]
pub use postgres_tasks::PostgresTasks;
#[cfg(any(test, feature = "testing"))]
pub use source::MockSignalSource;
pub use source::{SignalSource, Signals};
pub use workload::Workload;
