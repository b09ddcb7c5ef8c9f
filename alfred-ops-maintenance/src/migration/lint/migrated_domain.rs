//! What is known of a domain that a migration uses.

use super::migrated_table::SMALL_BYTES;

/// What is known of a domain that a migration uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MigratedDomain {
    /// The size with indexes of the tables that have columns of it, or of domains over it.
    pub bytes: u64,
    /// Whether it has constraints, or a domain that it is over has. NOT NULL is one, and so is one that is NOT VALID.
    pub is_constrained: bool,
    /// Whether its default may differ from row to row.
    pub has_volatile_default: bool,
}

impl MigratedDomain {
    /// A domain without constraints whose tables take so many bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self { bytes, is_constrained: false, has_volatile_default: false }
    }

    /// With constraints.
    #[must_use]
    pub const fn constrained(mut self) -> Self {
        self.is_constrained = true;
        self
    }

    /// With a default that may differ from row to row.
    #[must_use]
    pub const fn with_volatile_default(mut self) -> Self {
        self.has_volatile_default = true;
        self
    }

    pub(super) const fn is_small(&self) -> bool {
        self.bytes < SMALL_BYTES
    }
}
