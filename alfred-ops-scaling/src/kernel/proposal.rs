//! What a strategy finds.

use super::{Basis, Signal, Verdict};

/// What a strategy finds, before anything holds it back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Proposal {
    pub(super) wanted: u32,
    pub(super) verdict: Verdict,
    /// Whether the strategy's own largest step has cut the number.
    pub(super) stepped: bool,
    /// A signal that would be needed to take instances away, and cannot be believed.
    pub(super) blind: Option<Signal>,
    pub(super) basis: Basis,
}
