//! Where signals come from.

mod first_known;
#[cfg(feature = "kubernetes")]
mod kubernetes_signals;
mod metric_signals;
mod pick;
#[cfg(feature = "postgres")]
mod postgres_tasks;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(feature = "google-cloud-monitoring")]
mod pubsub_backlog;
mod source;
mod workload;

pub use first_known::FirstKnown;
#[cfg(feature = "kubernetes")]
pub use kubernetes_signals::{KubernetesSignals, MeasuredPod, PodUsage};
pub use metric_signals::MetricSignals;
pub use pick::Pick;
#[cfg(feature = "postgres")]
pub use postgres_tasks::PostgresTasks;
#[cfg(feature = "prometheus")]
pub use prometheus::{PrometheusOptions, PrometheusQuery, PrometheusSource};
#[cfg(feature = "google-cloud-monitoring")]
pub use pubsub_backlog::{Backlog, PubSubBacklog};
#[cfg(any(test, feature = "testing"))]
pub use source::MockSignalSource;
pub use source::{SignalSource, Signals};
pub use workload::Workload;
