//! What a chore needs of its state.

/// Whether a chore decides by what it noted before. Questions about former runs need the state in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::opsctl) enum ChoreMemory {
    /// By what there is now alone: a plan needs no state, and a run does without what hosts know.
    Spare,
    /// By what it noted, too: neither a plan nor a run goes without.
    Vital,
}
