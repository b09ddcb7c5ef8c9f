//! What a decision rests on.

use serde::{Deserialize, Serialize};

/// Rates, backlog, and what they take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SloBasis {
    /// Messages a second that are expected once an instance that is started now works.
    pub arrivals_per_second: f64,
    /// Messages a second that one instance finishes.
    pub service_rate: f64,
    /// Messages that will wait by then if nothing is started.
    pub backlog: f64,
    /// Instances that what comes takes, with room for chance.
    pub for_arrivals: u32,
    /// Instances that it all takes, backlog included.
    pub for_all: u32,
    /// For how many seconds instances stay that are not needed.
    pub hold_seconds: f64,
}
