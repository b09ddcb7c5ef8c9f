//! What instances share.

use std::fmt;

use alfred_ops_core::Result;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{Ceiling, ConnectionBudget};

/// Something that instances share and that may be what holds them up: then more of them make it worse.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Constraint: fmt::Debug + Send + Sync + 'static {
    /// How many instances it bears, if that is known to be a limit. Changes nothing, whether it succeeds, fails or is dropped.
    ///
    /// # Errors
    /// Any. It counts as no limit, and is logged: an outage of a watcher must not keep a service from growing.
    async fn ceiling(&self, now: DateTime<Utc>) -> Result<Option<Ceiling>>;
}

/// Its connections, as they are set.
#[async_trait]
impl Constraint for ConnectionBudget {
    async fn ceiling(&self, _now: DateTime<Utc>) -> Result<Option<Ceiling>> {
        Ok(Some(ConnectionBudget::ceiling(self)))
    }
}
