//! The brief's triggers: limits that have to be passed for a time.

mod basis;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod rules;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub use basis::{Restart, RulesBasis, TriggerStatus, Triggers};
pub use rules::{Rules, Threshold};

pub(super) use state::RulesState;
pub(super) use step::propose;
