//! Running jobs when they are due, on one of many replicas.

mod builder;
mod handle;
mod ledger;
mod lifecycle;
mod options;
mod retry;
#[cfg(test)]
mod simulation;
mod slot;
#[cfg(test)]
mod tests;
mod worker;

pub use builder::SupervisorBuilder;
pub use handle::JobHandle;
pub use lifecycle::Supervisor;
pub use options::JobOptions;
