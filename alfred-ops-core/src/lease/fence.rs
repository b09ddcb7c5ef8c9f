//! The number that makes late writes harmless.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, ErrorKind, Result};

/// Proof of having held a lease at one epoch.
///
/// The epoch grows with every change of owner. Our own stores refuse a write whose fence is older than the
/// lease's present epoch; foreign systems know no fence and get conditional, level-based writes instead.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fence {
    /// The lease's name.
    pub lease: String,
    /// The epoch at which it was held.
    pub epoch: u64,
}

impl Fence {
    /// The key of the lease's document in a [`StateStore`](crate::StateStore): what an implementation reads
    /// in the transaction of a fenced write.
    #[must_use]
    pub fn document_key(&self) -> String {
        document_key(&self.lease)
    }

    /// Whether a write under this fence may happen, given the content of the lease's document.
    ///
    /// Where the document is missing the write is refused: nobody could tell a late write from a good one.
    ///
    /// # Errors
    /// [`ErrorKind::Fenced`] if not.
    pub fn judge(&self, operation: &'static str, lease_document: Option<&Value>) -> Result<()> {
        let fault = match lease_document.map(|value| value.get("epoch").and_then(Value::as_u64)) {
            Some(Some(epoch)) if epoch <= self.epoch => return Ok(()),
            Some(Some(epoch)) => {
                format!("the lease is at epoch {epoch}, this write comes from epoch {}", self.epoch)
            }
            Some(None) => "the lease's document shows no epoch".to_owned(),
            None => "the lease is not kept in this store".to_owned(),
        };
        Err(Error::new(ErrorKind::Fenced, operation, fault).with_target(self.lease.clone()))
    }
}

pub(super) fn document_key(lease: &str) -> String {
    format!("lease/{lease}")
}
