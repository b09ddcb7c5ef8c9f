//! Platforms that run instances.

#[cfg(feature = "cloud-run")]
mod cloud_run;
mod composite;
mod dry_run;
mod interface;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod memory;

#[cfg(feature = "cloud-run")]
pub use cloud_run::{CloudRunApi, CloudRunOptions, CloudRunScaler, CloudRunWorkerPoolScaler};
pub use composite::CompositeScaler;
pub use dry_run::{DryRunScaler, DryRunStep};
#[cfg(any(test, feature = "testing"))]
pub use interface::MockScaler;
pub use interface::{Current, Limits, Observed, Outcome, Precondition, Scaler};
#[cfg(feature = "kubernetes")]
pub use kubernetes::{KubernetesScaler, ScaleTarget};
pub use memory::MemoryScaler;
