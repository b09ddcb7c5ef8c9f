//! What became of the targets that were found.

use alfred_ops_core::Labels;

use super::{DropReason, ResolvedTarget};

/// What became of the targets that were found.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Resolution {
    /// What is scraped, in the order in which it was found, each once.
    pub active: Vec<ResolvedTarget>,
    /// What is not scraped, and why.
    pub dropped: Vec<DroppedTarget>,
    /// Why every scrape of the job fails although its targets are known: there are more than the job allows.
    pub over_limit: Option<String>,
}

/// A target that is not scraped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DroppedTarget {
    /// Its labels as it was found.
    pub discovered: Labels,
    /// Why it is not scraped.
    pub reason: DropReason,
}
