//! Applies migrations from many replicas at once.

mod begun;
mod damage;
mod failure;
#[cfg(feature = "guard")]
mod leftovers;
mod report;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod runner;
mod statement;
mod terms;
mod turn;
mod undo;
mod words;
mod work;

pub use report::{MigrationPlan, MigrationReport};
pub use runner::MigrationRunner;
