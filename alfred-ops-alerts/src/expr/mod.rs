//! What a rule computes from samples.

mod aggregation;
mod arithmetic;
mod comparison;
mod counter;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod expr;
mod histogram;
mod moment;
mod vector;

pub use aggregation::Aggregation;
pub use arithmetic::Arithmetic;
pub use comparison::Comparison;
pub use expr::Expr;
pub use moment::{Moment, Outcome};

pub(crate) use moment::duplicate;
pub use vector::Reading;
