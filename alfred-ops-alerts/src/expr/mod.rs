//! PromQL put together in Rust.

mod aggregation;
mod arithmetic;
mod comparison;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod expr;
mod selector;

pub use aggregation::Aggregation;
pub use arithmetic::Arithmetic;
pub use comparison::Comparison;
pub use expr::Expr;
pub use selector::Selector;
