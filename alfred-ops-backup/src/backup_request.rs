//! What kind of backup to take.

use crate::BackupMode;

/// What kind of backup to take. Every backup restores by itself; kinds differ in what they read and store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BackupRequest {
    /// Whether everything is read, or only what the service says has changed.
    pub mode: BackupMode,
    /// Whether everything is stored again, so that damage to an earlier backup cannot touch this one.
    pub independent: bool,
}

impl BackupRequest {
    /// Reads everything, stores what no earlier backup holds.
    #[must_use]
    pub const fn full() -> Self {
        Self { mode: BackupMode::Full, independent: false }
    }

    /// Reads what has changed since the newest backup, where the service can tell; everything otherwise.
    #[must_use]
    pub const fn incremental() -> Self {
        Self { mode: BackupMode::Incremental, independent: false }
    }

    /// Stores everything again, whatever earlier backups hold.
    #[must_use]
    pub const fn independent(mut self) -> Self {
        self.independent = true;
        self
    }
}
