//! An evaluation under way.

use super::Evaluation;

/// An evaluation of a group that is under way: it pauses where a source is to be asked.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// What it has come to so far.
    pub(crate) evaluation: Evaluation,
    /// How many rules have been evaluated.
    pub(super) rules: usize,
    /// How often the source was asked for the next one.
    pub(super) rounds: usize,
}
