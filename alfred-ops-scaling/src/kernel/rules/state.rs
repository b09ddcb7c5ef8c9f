//! What the brief's triggers remember.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Since when each condition has held without a break, and what was there at the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::kernel) struct RulesState {
    pub(super) queue_since: Option<DateTime<Utc>>,
    pub(super) cpu_since: Option<DateTime<Utc>>,
    pub(super) memory_since: Option<DateTime<Utc>>,
    pub(super) idle_since: Option<DateTime<Utc>>,
    pub(super) last: Option<Last>,
}

/// The last look, as far as the next one needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Last {
    pub(super) at: DateTime<Utc>,
    pub(super) instances: u32,
}
