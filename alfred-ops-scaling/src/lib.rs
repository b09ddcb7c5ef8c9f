//! Decides how many instances a service needs, and drives the platform that runs them.
//!
//! [`step`] decides: a pure function of what is known, the [`Policy`] and the time. An [`Autoscaler`] reads
//! signals, lets it decide, and has a [`Scaler`] (memory, Cloud Run with feature `cloud-run`, or Kubernetes with `kubernetes`) obey.
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
//! - [`Scaler`]: the platform; [`MemoryScaler`], `CloudRunScaler`, `KubernetesScaler`; `PodCosts`: which pods go last.
//! - [`SignalSource`]: what is known of the load: [`Workload`] in the process, [`MetricSignals`] (of
//!   `PrometheusSource` among others), `PostgresTasks`, `KubernetesSignals`, `PubSubBacklog`, [`FirstKnown`] of several.
//! - [`Autoscaler`]: the loop between them; [`Constraint`]: what instances share.
//! - [`ConnectionBudget`], [`Gate`], `ElasticPool`: a database's connections, shared by a fleet; `ReplicaRouter`: reads off
//!   the primary that see what their reader has written.
//! - [`plan_partitions`], `PostgresPartitions`: partitions by time, made ahead and detached when they are old.
//! - [`simulate`](mod@simulate): load traces played against policies.
//! - [`qdrant`]: clusters of Qdrant: plans to rebalance, drain and repair them, and `QdrantCluster`, which carries
//!   them out.
//!
//! # Features
//! - `cloud-run`: `CloudRunScaler`. It uses the process's TLS provider, and installs aws-lc-rs if the host has
//!   installed none.
//! - `google-cloud-monitoring`: `PubSubBacklog`.
//! - `kubernetes`: `KubernetesScaler`, `PodCosts`, `KubernetesSignals`; `KubernetesObjects` for what stands on them.
//! - `postgres`: `PostgresTasks`, `ElasticPool`, `ReplicaRouter`, `PostgresPartitions`, through sqlx.
//! - `prometheus`: `PrometheusSource`.
//! - `qdrant`: `QdrantCluster`. Plans need no feature.
//! - `testing`: mocks and the conformance suite; `testing-servers`: a Cloud Run Admin API server, a Kubernetes API server, a
//!   Qdrant cluster.

mod autoscaler;
mod database;
mod drain;
mod kernel;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod partitions;
pub mod qdrant;
mod scaler;
mod signals;
pub mod simulate;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(any(test, feature = "testing"))]
pub use autoscaler::MockConstraint;
pub use autoscaler::{Autoscaler, Constraint};
pub use database::{ConnectionBudget, FleetPlan, FleetStep, Gate, GateLoad, Pass, PoolLoad};
#[cfg(feature = "postgres")]
pub use database::{
    ElasticPool, PooledConnection, ReadFrom, ReplicaRouter, RoutedConnection, RouterLoad, RoutingPolicy,
};
#[cfg(feature = "kubernetes")]
pub use drain::PodVictims;
pub use drain::{
    DrainLeases, DrainPause, DrainStanding, DrainWorker, DrainingScaler, RankedInstance, VictimChoice,
    Victims, Work,
};
pub use kernel::{
    Basis, Bound, Ceiling, Decision, DecisionRecord, Fallback, FlapBudget, Guard, HoldReason, HpaBasis,
    HpaBehavior, HpaHistory, HpaMetric, HpaPolicy, HpaPolicyKind, HpaRules, HpaSelect, HpaV2, Inputs, Kpa,
    KpaBasis, Policy, Rate, Reading, Resource, Restart, Rules, RulesBasis, ScheduledBounds, Signal, Slo,
    SloBasis, State, Strategy, TargetTracking, Threshold, TrackingBasis, TriggerStatus, Triggers, Verdict,
    step,
};
#[cfg(feature = "kubernetes")]
pub use kubernetes::{KubernetesCluster, KubernetesObjects, PodCostReport, PodCosts};
#[cfg(feature = "postgres")]
pub use partitions::PostgresPartitions;
pub use partitions::{
    Partition, PartitionFacts, PartitionObstacle, PartitionPlan, PartitionPolicy, PartitionStep,
    plan_partitions,
};
#[cfg(any(test, feature = "testing"))]
pub use scaler::MockScaler;
#[cfg(feature = "cloud-run")]
pub use scaler::{CloudRunApi, CloudRunInventory, CloudRunOptions, CloudRunScaler, CloudRunWorkerPoolScaler};
pub use scaler::{
    CompositeScaler, Current, DryRunScaler, DryRunStep, Limits, MemoryScaler, Observed, Outcome,
    Precondition, Scaler,
};
#[cfg(feature = "kubernetes")]
pub use scaler::{KubernetesScaler, ScaleTarget};
#[cfg(any(test, feature = "testing"))]
pub use signals::MockSignalSource;
#[cfg(feature = "postgres")]
pub use signals::PostgresTasks;
#[cfg(feature = "google-cloud-monitoring")]
pub use signals::{Backlog, PubSubBacklog};
pub use signals::{FirstKnown, MetricSignals, Pick, SignalSource, Signals, Workload};
#[cfg(feature = "kubernetes")]
pub use signals::{KubernetesSignals, MeasuredPod, PodUsage};
#[cfg(feature = "prometheus")]
pub use signals::{PrometheusOptions, PrometheusQuery, PrometheusSource};
