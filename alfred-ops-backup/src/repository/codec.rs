//! How frames are compressed.

use serde::{Deserialize, Serialize};

/// How strongly new data is compressed: automatically or by a level of zstd. Reading does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Compression(i32);

impl Compression {
    /// The default: [`FAST`](Self::FAST) for a first backup and for great amounts of new data, since on
    /// database tables the next levels are slower and no smaller; level 6 for the first GiB of what has
    /// changed since another backup, which is little and kept for long.
    pub const AUTOMATIC: Self = Self(0);
    /// Level 1: for hosts whose processors are busy.
    pub const FAST: Self = Self(1);
    /// Level 3: smaller on indexes and plain text, at half the speed.
    pub const BALANCED: Self = Self(3);
    /// Level 9: for slow lines, at a fifth of the speed.
    pub const SMALL: Self = Self(9);

    /// What is meant for pages: a `few` changed ones, or many.
    pub(super) fn of_pages(self, few: bool) -> Self {
        match (self, few) {
            (Self::AUTOMATIC, true) => Self(6),
            (Self::AUTOMATIC, false) => Self::FAST,
            (chosen, _) => chosen,
        }
    }

    /// zstd takes 0 for its own default.
    pub(crate) const fn level(self) -> i32 {
        self.0
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self::AUTOMATIC
    }
}
