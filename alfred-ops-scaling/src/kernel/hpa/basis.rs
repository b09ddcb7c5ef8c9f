//! What a decision of the autoscaler rests on.

use serde::{Deserialize, Serialize};

/// What a decision of the autoscaler rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HpaBasis {
    /// The largest number that a metric asks for, within the policy's bounds.
    pub recommended: u32,
    /// The same after stabilisation.
    pub stabilised: u32,
    /// The same after the rates.
    pub limited: u32,
}
