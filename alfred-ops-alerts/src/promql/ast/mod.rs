//! A query as a tree.

mod aggregation;
mod duration_expr;
mod function;
mod matcher;
mod matching;
mod node;
mod operator;
mod selector;

pub use aggregation::{AggregateOp, Grouping};
pub use duration_expr::{DurationContext, DurationExpr};
pub use function::{Function, Parameter};
pub use matcher::{MatchOp, Matcher};
pub use matching::{Cardinality, Matching};
pub use node::{Node, NodeKind, ValueType};
pub use operator::BinaryOp;
pub use selector::{At, Boundary, Selector, TimeShift};
