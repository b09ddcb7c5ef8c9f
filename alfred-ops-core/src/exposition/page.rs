//! A parsed page.

use super::Family;
use crate::Sample;

/// A parsed page: its samples in order, and what it says about them.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Page {
    /// The samples in the page's order, each series once.
    pub samples: Vec<Sample>,
    /// The metrics that the page explains, in the order of their first mention.
    pub families: Vec<Family>,
    /// Samples left out because their series came before: a fault of the page's author.
    pub duplicates: usize,
}
