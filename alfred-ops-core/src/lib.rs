//! What all alfred-ops crates share: errors, time, schedules, jobs, leases, state, health and telemetry.
//!
//! It holds no domain: backups, alerts, scaling and maintenance build on it and never on one another, so
//! that a host links only what it uses.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use alfred_ops_core::{Activation, Job, JobContext, JobReport, MemoryStateStore, Result, Supervisor};
//!
//! #[derive(Debug)]
//! struct Sweep;
//!
//! #[async_trait::async_trait]
//! impl Job for Sweep {
//!     fn name(&self) -> &str { "sweep" }
//!     fn activation(&self) -> Activation { Activation::Every(Duration::from_secs(3600)) }
//!     async fn run(&self, context: &JobContext) -> Result<JobReport> {
//!         context.check("sweep")?;
//!         Ok(JobReport::new("nothing to sweep"))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! # let shutdown = async {};
//! let ops = Supervisor::builder(Arc::new(MemoryStateStore::default()))
//!     .lease(Duration::from_secs(15)) // Of many replicas one runs the jobs.
//!     .job(Sweep)
//!     .build()?;
//! ops.run_until(shutdown).await
//! # }
//! ```
//!
//! # Map
//!
//! - Errors: [`Error`], its [`ErrorKind`] and [`Retry`] class; private causes implement [`Classify`].
//! - Time, chance, tasks: [`Clock`], [`Entropy`], [`TaskSet`]; nothing else reads the clock or spawns.
//! - State: [`StateStore`] keeps small documents by compare-and-set.
//! - Leases: [`LeaseStore`] over any state store, [`LeaseKeeper`], and the [`Fence`] that late writes fail on.
//! - Jobs: [`Job`], [`Activation`] (a period or a [`Timetable`]), [`JobContext`]; the [`Supervisor`] runs them and keeps their history.
//! - What it tells: [`Health`] and [`Metrics`].
//! - What siblings share: [`Sample`], [`MetricSource`], [`exposition`], [`http`], [`Lsn`], [`Secret`].
//!
//! # Features
//!
//! - `google-cloud-monitoring`: `cloud_monitoring`, a [`MetricSource`] of Google's metrics.
//! - `sqlite`, `postgres`: durable state stores.
//! - `http-client`: a client in [`http`], which alone has only options.
//! - `postgres-options`: how to reach a Postgres server.
//! - `prometheus-parse`: accepts that crate's pages as samples.
//! - `testing`: mocks and conformance suites; `testing-servers`: private Postgres servers, a Cloud Monitoring API.

mod clock;
#[cfg(feature = "google-cloud-monitoring")]
pub mod cloud_monitoring;
#[cfg(feature = "config")]
mod config;
mod entropy;
mod error;
pub mod exposition;
mod health;
pub mod histogram;
pub mod http;
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
mod state;
mod supervisor;
mod tasks;
mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use clock::{Clock, ClockExt, SharedClock, SimulatedClock, SystemClock};
#[cfg(feature = "config")]
pub use config::{ConfigProblem, ConfigTree, FromConfig, FromConfigValue, Section};
pub use entropy::{Entropy, EntropyExt, SeededEntropy, SystemEntropy};
pub use error::{Classify, Error, ErrorKind, Result, Retry};
pub use health::{ComponentView, Criticality, Health, HealthReporter, HealthView, Status};
pub use id::Id;
#[cfg(any(test, feature = "testing"))]
pub use job::MockJob;
pub use job::{
    Activation, Job, JobContext, JobReport, Outcome, Progress, ProgressState, ProgressUnit, RunRecord,
    Timetable, Trigger,
};
#[cfg(any(test, feature = "testing"))]
pub use lease::MockLeaseStore;
pub use lease::{Fence, Grant, LeaseKeeper, LeaseStore, StateLeases};
pub use lsn::Lsn;
#[cfg(feature = "postgres-options")]
pub use postgres::{PostgresOptions, TlsMode};
pub use retry::{RetryBudget, RetryPolicy, retry};
#[cfg(any(test, feature = "testing"))]
pub use sample::MockMetricSource;
pub use sample::{ChangeSignal, Changes, ClosureSource, Labels, MetricSource, Sample};
pub use schedule::{MissedRuns, Schedule, Window};
pub use secret::Secret;
#[cfg(any(test, feature = "testing"))]
pub use state::MockStateStore;
#[cfg(feature = "postgres")]
pub use state::PostgresStateStore;
#[cfg(feature = "sqlite")]
pub use state::SqliteStateStore;
pub use state::{Document, Expected, Found, LIST_LIMIT_MAX, MemoryStateStore, StateCell, StateStore, Write};
pub use supervisor::{JobHandle, JobOptions, Supervisor, SupervisorBuilder};
pub use tasks::{TaskHandle, TaskSet, blocking};
pub use telemetry::{Counter, CounterFamily, Gauge, GaugeFamily, Histogram, HistogramFamily, Metrics};
