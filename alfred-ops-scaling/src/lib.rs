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
//! - [`step`], [`Inputs`], [`Policy`], [`Decision`], [`DecisionRecord`]: the kernel. [`Strategy`]: [`Rules`] (the brief's),
//!   [`Slo`], [`HpaV2`], [`Kpa`], [`TargetTracking`]; [`Guard`].
//! - [`Scaler`]: the platform; [`MemoryScaler`], `CloudRunScaler`.
//! - [`Autoscaler`], [`SignalSource`], [`Workload`]: the loop between them.
//! - [`simulate`](mod@simulate): load traces played against policies.
//!
//! # Features
//! - `cloud-run`: `CloudRunScaler`. It uses the process's TLS provider, and installs aws-lc-rs if the host has
//!   installed none.
//! - `testing`: mocks and the conformance suite; `testing-servers`: a Cloud Run Admin API server.

mod autoscaler;
mod kernel;
mod scaler;
pub mod simulate;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(any(test, feature = "testing"))]
pub use autoscaler::MockSignalSource;
pub use autoscaler::{Autoscaler, SignalSource, Signals, Workload};
pub use kernel::{
    Basis, Bound, Decision, DecisionRecord, Fallback, FlapBudget, Guard, HoldReason, HpaBasis, HpaBehavior,
    HpaHistory, HpaMetric, HpaPolicy, HpaPolicyKind, HpaRules, HpaSelect, HpaV2, Inputs, Kpa, KpaBasis,
    Policy, Rate, Reading, Restart, Rules, RulesBasis, ScheduledBounds, Signal, Slo, SloBasis, State,
    Strategy, TargetTracking, Threshold, TrackingBasis, TriggerStatus, Triggers, Verdict, step,
};
#[cfg(any(test, feature = "testing"))]
pub use scaler::MockScaler;
#[cfg(feature = "cloud-run")]
pub use scaler::{CloudRunOptions, CloudRunScaler};
pub use scaler::{Current, Limits, MemoryScaler, Outcome, Precondition, Scaler};
