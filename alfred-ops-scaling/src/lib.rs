//! Decides how many instances a service needs, and drives the platform that runs them.
//!
//! [`step`] decides: a pure function of what is known, the [`Policy`] and the time. An [`Autoscaler`] reads
//! signals, lets it decide, and has a [`Scaler`] (memory, or Cloud Run with feature `cloud-run`) obey.
//!
//! ```
//! use std::sync::Arc;
//! use alfred_ops_core::JobContext;
//! use alfred_ops_scaling::{Autoscaler, MemoryScaler, Policy, Scaler, Workload};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> alfred_ops_core::Result<()> {
//! let service = Arc::new(MemoryScaler::new("agents", 0));
//! let workload = Arc::new(Workload::new());
//! let autoscaler = Autoscaler::new(service.clone(), workload.clone(), Policy::default());
//!
//! workload.set_queued(3.0);
//! let decision = autoscaler.tick(&JobContext::system()).await?;
//! assert_eq!(decision.to_string(), "1 instance: work waits and nothing runs");
//! assert_eq!(service.current().await?.configured, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//! - [`step`], [`Inputs`], [`Policy`], [`Decision`], [`DecisionRecord`]: the kernel.
//! - [`Scaler`]: the platform; [`MemoryScaler`], `CloudRunScaler`.
//! - [`Autoscaler`], [`SignalSource`], [`Workload`]: the loop between them.
//!
//! # Features
//! - `cloud-run`: `CloudRunScaler`.
//! - `testing`: mocks and the conformance suite; `testing-servers`: a Cloud Run Admin API server.

mod autoscaler;
mod kernel;
mod scaler;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(any(test, feature = "testing"))]
pub use autoscaler::MockSignalSource;
pub use autoscaler::{Autoscaler, SignalSource, Signals, Workload};
pub use kernel::{
    Bound, Decision, DecisionRecord, HoldReason, Inputs, Policy, Reading, Restart, Signal, State, Threshold,
    TriggerStatus, Triggers, Verdict, step,
};
#[cfg(any(test, feature = "testing"))]
pub use scaler::MockScaler;
#[cfg(feature = "cloud-run")]
pub use scaler::{CloudRunOptions, CloudRunScaler};
pub use scaler::{Current, Limits, MemoryScaler, Outcome, Precondition, Scaler};
