//! Platforms that run instances.

#[cfg(feature = "cloud-run")]
mod cloud_run;
mod interface;
mod memory;

#[cfg(feature = "cloud-run")]
pub use cloud_run::{CloudRunOptions, CloudRunScaler};
#[cfg(any(test, feature = "testing"))]
pub use interface::MockScaler;
pub use interface::{Current, Limits, Outcome, Precondition, Scaler};
pub use memory::MemoryScaler;
