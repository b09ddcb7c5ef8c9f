//! What the autoscaler remembers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::HpaHistory;

/// What the autoscaler remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::kernel) struct HpaState {
    pub(super) history: HpaHistory,
    pub(super) last: Option<DateTime<Utc>>,
}
