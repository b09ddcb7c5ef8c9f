//! Retention that the server enforces.

use std::num::NonZeroU32;

use aws_sdk_s3::types::ObjectLockMode as SdkMode;

/// Who may end a lock early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectLockMode {
    /// Whoever holds the permission `s3:BypassGovernanceRetention`.
    Governance,
    /// Nobody, the account's owner included.
    Compliance,
}

/// Retention that the server enforces on every blob, against operators and intruders alike.
///
/// Choose it shorter than the time for which backups are kept, or pruning fails until locks have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectLock {
    /// Who may end a lock early.
    pub mode: ObjectLockMode,
    /// Days, from each blob's writing.
    pub days: NonZeroU32,
}

impl From<ObjectLockMode> for SdkMode {
    fn from(mode: ObjectLockMode) -> Self {
        match mode {
            ObjectLockMode::Governance => Self::Governance,
            ObjectLockMode::Compliance => Self::Compliance,
        }
    }
}
