//! Which backups are kept, and why.

mod plan;
mod policy;

pub use plan::{KeepReason, RetentionPlan, Verdict};
pub use policy::RetentionPolicy;
