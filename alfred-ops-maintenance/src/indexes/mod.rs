//! Indexes that cost and do not serve, and those that are missing.

#[cfg(feature = "postgres")]
mod build;
mod facts;
mod finding;
#[cfg(feature = "postgres")]
mod index_care;
#[cfg(feature = "postgres")]
mod look;
mod missing;
mod plan;
mod policy;

pub use facts::{IndexFacts, IndexView, RebuiltSize};
pub use finding::{IndexFault, IndexFinding, IndexHold};
#[cfg(feature = "postgres")]
pub use index_care::IndexCare;
#[cfg(feature = "postgres")]
pub(crate) use look::look;
pub use plan::{IndexPlan, plan_indexes};
pub use policy::{IndexPolicy, Rebuilds};
