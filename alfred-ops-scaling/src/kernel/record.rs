//! A decision with all that it rests on.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Decision, Inputs, Policy, State, step};

/// A decision with all that it rests on, so that it can be taken again, elsewhere and later.
///
/// To be kept in a format that returns numbers as they were: `serde_json` needs its `float_roundtrip`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// When it was taken.
    pub now: DateTime<Utc>,
    /// What was remembered before it.
    pub state: State,
    /// What was known.
    pub inputs: Inputs,
    /// What was to be achieved.
    pub policy: Policy,
    /// What was decided.
    pub decision: Decision,
}

impl DecisionRecord {
    /// Decides, and keeps what the decision rests on.
    pub fn decide(state: &mut State, inputs: &Inputs, policy: &Policy, now: DateTime<Utc>) -> Self {
        let before = state.clone();
        let decision = step(state, inputs, policy, now);
        Self { now, state: before, inputs: *inputs, policy: policy.clone(), decision }
    }

    /// Decides again. The answer is the one on record, or the kernel has changed since.
    #[must_use]
    pub fn replay(&self) -> Decision {
        step(&mut self.state.clone(), &self.inputs, &self.policy, self.now)
    }
}
