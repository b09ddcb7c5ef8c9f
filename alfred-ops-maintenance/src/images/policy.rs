//! Which images are kept.

use std::collections::BTreeSet;
use std::time::Duration;

/// Which images are kept beside those in use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImagePolicy {
    /// An image that we saw first within this time is kept, however old it is.
    pub unused_after: Duration,
    /// Of each repository so many of the highest versions `vX.Y.Z` are kept. Release candidates are no versions.
    pub versions: usize,
    /// Images with one of these tags are kept.
    pub tags: BTreeSet<String>,
    /// A run removes at most so many.
    pub removals_max: usize,
}

impl Default for ImagePolicy {
    /// A week, five versions, `stable` and `latest`, a thousand removals.
    fn default() -> Self {
        Self {
            unused_after: Duration::from_secs(168 * 3600),
            versions: 5,
            tags: ["stable", "latest"].map(str::to_owned).into(),
            removals_max: 1000,
        }
    }
}

impl ImagePolicy {
    /// Keeps what was first seen within another time.
    #[must_use]
    pub const fn with_unused_after(mut self, unused_after: Duration) -> Self {
        self.unused_after = unused_after;
        self
    }

    /// Keeps another number of versions.
    #[must_use]
    pub const fn with_versions(mut self, versions: usize) -> Self {
        self.versions = versions;
        self
    }

    /// Keeps images with this tag, too.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.tags.insert(tag.to_owned());
        self
    }

    /// Removes at most so many in a run.
    #[must_use]
    pub const fn with_removals_max(mut self, removals_max: usize) -> Self {
        self.removals_max = removals_max;
        self
    }
}
