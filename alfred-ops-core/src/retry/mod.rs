//! Trying again, by the class of the error and within a budget.

mod budget;
mod policy;
#[expect(clippy::module_inception, reason = "one main item per file, and the file is named after it")]
mod retry;

pub use budget::RetryBudget;
pub use policy::RetryPolicy;
pub use retry::retry;
