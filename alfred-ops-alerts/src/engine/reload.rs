//! What an exchange of rules came to.

use crate::alert::Transition;

/// What an exchange of rules came to.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Reload {
    /// Groups that are new.
    pub groups_added: usize,
    /// Groups of which something has changed.
    pub groups_changed: usize,
    /// Groups that are no more.
    pub groups_removed: usize,
    /// Groups that went on as if nothing had happened.
    pub groups_unchanged: usize,
    /// The alerts that ended with their rules.
    pub transitions: Vec<Transition>,
}
