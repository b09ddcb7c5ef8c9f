//! Tasks whose worker died.

mod facts;
#[cfg(feature = "postgres")]
mod look;
mod obstacle;
mod plan;
mod policy;
#[cfg(feature = "postgres")]
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod requeue;

pub use facts::{RequeueFacts, StuckTask};
pub use plan::{RequeuePlan, plan_requeue};
pub use policy::{Heartbeat, RequeuePolicy, TaskColumns};
#[cfg(feature = "postgres")]
pub use requeue::Requeue;
