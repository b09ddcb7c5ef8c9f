//! Platforms that run instances.

#[cfg(feature = "cloud-run")]
mod cloud_run;
mod interface;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod memory;

#[cfg(feature = "cloud-run")]
pub use cloud_run::{CloudRunOptions, CloudRunScaler};
#[cfg(any(test, feature = "testing"))]
pub use interface::MockScaler;
pub use interface::{Current, Limits, Outcome, Precondition, Scaler};
#[cfg(feature = "kubernetes")]
pub use kubernetes::{KubernetesScaler, ScaleTarget};
pub use memory::MemoryScaler;
