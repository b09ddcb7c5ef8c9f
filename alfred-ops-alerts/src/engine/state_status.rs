//! How keeping alerts across restarts goes.

use chrono::{DateTime, Utc};

/// How keeping alerts across restarts goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StateStatus {
    /// When the saved state was looked at; `None` until the store has answered.
    pub restored_at: Option<DateTime<Utc>>,
    /// How many alerts were taken over then.
    pub restored: usize,
    /// When the state was last saved.
    pub saved_at: Option<DateTime<Utc>>,
    /// How many alerts the document had no room for.
    pub omitted: usize,
    /// How often somebody else had written the document: more than a few mean that two engines share one key.
    pub conflicts: u64,
    /// Why the last attempt to read or to save failed, if it did.
    pub last_error: Option<String>,
}
