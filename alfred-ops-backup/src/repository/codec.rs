//! How frames are compressed.

use serde::{Deserialize, Serialize};

/// How strongly new data is compressed. Reading does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Compression(i32);

impl Compression {
    /// zstd's fastest ordinary level, the default: twice as fast as [`BALANCED`](Self::BALANCED), and on
    /// database tables no larger.
    pub const FAST: Self = Self(1);
    /// zstd's own default: smaller on indexes and plain text.
    pub const BALANCED: Self = Self(3);
    /// For slow lines: several times the processor time of [`BALANCED`](Self::BALANCED).
    pub const SMALL: Self = Self(9);

    pub(crate) const fn level(self) -> i32 {
        self.0
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self::FAST
    }
}
