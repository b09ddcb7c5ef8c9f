//! Indexes that cost and do not serve.

mod facts;
#[cfg(feature = "postgres")]
mod index_care;
#[cfg(feature = "postgres")]
mod look;
mod plan;
mod policy;

pub use facts::{IndexFacts, IndexView};
#[cfg(feature = "postgres")]
pub use index_care::IndexCare;
#[cfg(feature = "postgres")]
pub(crate) use look::look;
pub use plan::{IndexFault, IndexFinding, IndexPlan, plan_indexes};
pub use policy::IndexPolicy;
