//! Rows that are kept for a time.

#[cfg(feature = "postgres")]
mod deletion;
mod facts;
#[cfg(feature = "postgres")]
mod look;
#[cfg(feature = "postgres")]
mod look_partitions;
#[cfg(feature = "postgres")]
mod mark;
mod obstacle;
#[cfg(feature = "postgres")]
mod partitions;
mod plan;
mod policy;
#[cfg(feature = "postgres")]
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod retention;
mod throttle;
#[cfg(feature = "postgres")]
mod vitals;

pub use facts::{ExpiredPartition, PartitionState, RetentionFacts, TableFacts};
pub use obstacle::RetentionObstacle;
pub use plan::{RetentionPart, RetentionPlan, RetentionWork, plan_retention};
pub use policy::RetentionPolicy;
#[cfg(feature = "postgres")]
pub use retention::Retention;
pub use throttle::{Pace, Pulse, Throttle, ThrottlePolicy, Trouble, VacuumPulse};
