//! The number that makes late writes harmless.

use serde::{Deserialize, Serialize};

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
