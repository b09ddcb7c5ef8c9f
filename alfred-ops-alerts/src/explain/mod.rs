//! Why an expression comes to what it comes to.

mod comparison;
mod explainer;
mod explanation;
mod join;

#[cfg(test)]
mod tests;

pub use comparison::{Compared, NearestMiss};
pub use explainer::explain;
pub use explanation::{Explanation, Insight};
pub use join::{JoinSide, Joined};
