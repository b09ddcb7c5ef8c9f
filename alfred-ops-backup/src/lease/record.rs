//! What is written of a lease.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Grant, Result};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One state of a lease. It is never changed: the next state is the next blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeaseRecord {
    /// The number of the blob with which the present or last owner came.
    pub(super) epoch: u64,
    /// None once released.
    pub(super) holder: Option<String>,
    /// The term, in milliseconds.
    pub(super) ttl_ms: u64,
    /// By the writer's wall clock. For people only: nothing is decided by it.
    pub(super) written_at: DateTime<Utc>,
}

impl LeaseRecord {
    pub(super) fn parse(location: &str, key: &str, data: &[u8]) -> Result<Self> {
        serde_json::from_slice(data).map_err(|source| {
            Error::new(ErrorKind::Corrupt, "read lease", "it is not a lease's record")
                .with_target(format!("{location}/{key}"))
                .with_remedy("stop whoever may hold the lease, then delete this object")
                .with_source(source)
        })
    }

    pub(super) fn to_bytes(&self) -> Result<Bytes> {
        serde_json::to_vec(self).map(Bytes::from).map_err(|source| {
            Error::new(ErrorKind::Internal, "write lease", "it is not JSON").with_source(source)
        })
    }

    pub(super) fn is_held_under(&self, grant: &Grant) -> bool {
        self.epoch == grant.epoch && self.holder.as_deref() == Some(&grant.holder)
    }

    /// Whether `holder` may take the lease, having seen this record stand `unchanged_for` so long.
    pub(super) fn may_be_taken_by(&self, holder: &str, unchanged_for: Duration) -> bool {
        match &self.holder {
            None => true,
            Some(present) => present == holder || unchanged_for >= Duration::from_millis(self.ttl_ms),
        }
    }
}
