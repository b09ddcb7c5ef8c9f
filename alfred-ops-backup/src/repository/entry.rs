//! One thing that a backup holds.

use alfred_ops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// One thing that a backup holds. Paths are relative, separated by `/`, and never leave their root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it lies below the root of what was captured.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its permission bits.
    pub mode: u32,
    /// When it was last changed, in seconds since 1970, as the backend tells.
    pub modified: i64,
}

/// What an [`Entry`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EntryKind {
    /// A file of so many bytes.
    File {
        /// Its length.
        bytes: u64,
    },
    /// A folder, possibly empty.
    Directory,
    /// A symbolic link.
    Symlink {
        /// What it points to, as captured: it may lie outside of the root.
        target: String,
    },
}

impl Entry {
    /// How many bytes of content follow this entry.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        match self.kind {
            EntryKind::File { bytes } => bytes,
            _ => 0,
        }
    }

    /// Refuses a path that would leave its root when restored.
    pub(crate) fn check_path(path: &str) -> Result<()> {
        let part_ok = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
        if path.split('/').all(part_ok) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Corrupt, "check path", format!("{path:?} is not a clean relative path")))
    }
}
