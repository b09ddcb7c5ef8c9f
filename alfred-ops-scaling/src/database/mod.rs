//! Connections of a database, shared by a fleet.

mod connection_budget;
#[cfg(feature = "postgres")]
mod elastic_pool;
mod gate;
#[cfg(feature = "postgres")]
mod replica_router;
#[cfg(feature = "postgres")]
mod replica_state;

pub use connection_budget::{ConnectionBudget, FleetPlan, FleetStep, PoolLoad};
#[cfg(feature = "postgres")]
pub use elastic_pool::{ElasticPool, PooledConnection};
pub use gate::{Gate, GateLoad, Pass};
#[cfg(feature = "postgres")]
pub use replica_router::{ReadFrom, ReplicaRouter, RoutedConnection, RouterLoad, RoutingPolicy};
