//! What decides: pure functions of state, inputs, policy and time.

mod decision;
mod inputs;
mod policy;
mod record;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub use decision::{Bound, Decision, HoldReason, Restart, TriggerStatus, Triggers, Verdict};
pub use inputs::{Inputs, Reading, Signal};
pub use policy::{Policy, Threshold};
pub use record::DecisionRecord;
pub use state::State;
pub use step::step;
