//! Rows that are kept for a time.

mod plan;
mod policy;
mod report;
mod table_name;
#[cfg(feature = "postgres")]
mod task;

pub use plan::{RetentionFacts, RetentionPlan, plan_retention};
pub use policy::RetentionPolicy;
pub use report::RetentionReport;
pub use table_name::TableName;
#[cfg(feature = "postgres")]
pub use task::Retention;
