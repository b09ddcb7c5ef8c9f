//! Indexes that cost and do not serve.

mod facts;
#[cfg(feature = "postgres")]
mod index_care;
mod plan;
mod policy;

pub use facts::{IndexFacts, IndexView};
#[cfg(feature = "postgres")]
pub use index_care::IndexCare;
pub use plan::{IndexFault, IndexFinding, IndexPlan, plan_indexes};
pub use policy::IndexPolicy;
