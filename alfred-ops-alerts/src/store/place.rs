//! Where a series is.

/// Where a series is within its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(super) slot: u32,
    /// How often the slot had been given away before.
    pub(super) birth: u32,
}
