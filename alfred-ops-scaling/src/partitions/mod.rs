//! Partitions of a table by time: made ahead, detached when they are old.
//!
//! The planner detaches and never drops: what is detached is an ordinary table, which the maintenance crate may archive and drop.

mod plan;
mod policy;
#[cfg(feature = "postgres")]
mod postgres_partitions;

pub use plan::{Partition, PartitionFacts, PartitionObstacle, PartitionPlan, PartitionStep, plan_partitions};
pub use policy::PartitionPolicy;
#[cfg(feature = "postgres")]
pub use postgres_partitions::PostgresPartitions;
