//! What all alfred-ops crates share: errors, time, schedules, jobs, leases, state, health and telemetry.
//!
//! It holds no domain: backups, alerts, scaling and maintenance build on it and never on one another, so
//! that a host links only what it uses.

mod clock;
#[cfg(feature = "config")]
mod config;
mod entropy;
mod error;
pub mod exposition;
mod id;
mod job;
mod lease;
mod lsn;
#[cfg(feature = "postgres-options")]
mod postgres;
mod retry;
mod sample;
mod schedule;
mod secret;
mod tasks;
#[cfg(feature = "testing")]
pub mod testing;

pub use clock::{Clock, ClockExt, SharedClock, SimulatedClock, SystemClock};
#[cfg(feature = "config")]
pub use config::{ConfigProblem, ConfigTree, FromConfig, FromConfigValue, Section};
pub use entropy::{Entropy, EntropyExt, SeededEntropy, SystemEntropy};
pub use error::{Classify, Error, ErrorKind, Result, Retry};
pub use id::Id;
pub use job::{JobContext, Progress, ProgressState, ProgressUnit};
pub use lease::Fence;
pub use lsn::Lsn;
#[cfg(feature = "postgres-options")]
pub use postgres::{PostgresOptions, TlsMode};
pub use retry::{RetryBudget, RetryPolicy, retry};
#[cfg(any(test, feature = "testing"))]
pub use sample::MockMetricSource;
pub use sample::{ClosureSource, Labels, MetricSource, Sample};
pub use schedule::{DueSlots, MissedRuns, PassedOver, PassedSlot, Schedule, Window};
pub use secret::Secret;
pub use tasks::{TaskHandle, TaskSet, blocking};
