//! Why an expression comes to what it comes to.

mod comparison;
mod explainer;
mod explanation;
mod join;
mod oracle;

#[cfg(test)]
mod tests;

pub use comparison::{Compared, NearestMiss};
pub use explainer::explain;
pub(crate) use explainer::explain_by;
pub use explanation::{Explanation, Insight};
pub use join::{JoinSide, Joined};
pub(crate) use oracle::Oracle;
