//! How a repository is opened.

use super::{Compression, RepositoryKey};

/// How a repository is opened and written.
///
/// Without a key a new repository is not encrypted: whoever reads the store reads the data.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RepositoryOptions {
    /// How strongly new data is compressed. Reading does not depend on it.
    pub compression: Compression,
    /// The key that opens it, or with which a new one is made. A key for a repository that is not
    /// encrypted is an error, and so is none for one that is.
    pub key: Option<RepositoryKey>,
    /// Whether the store may be one that ignores conditional writes, since nobody else writes to the
    /// repository. A backup is then published by an ordinary write of a key that nobody else can have.
    pub single_writer: bool,
}

impl RepositoryOptions {
    /// The same options with another compression.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The same options, and the promise that no other host or job writes to the repository at the same
    /// time: for stores that ignore conditional writes. Two writers of one log would overwrite each other.
    #[must_use]
    pub const fn with_single_writer(mut self) -> Self {
        self.single_writer = true;
        self
    }

    /// The same options with a key (feature `encryption`).
    #[must_use]
    pub fn with_key(mut self, key: RepositoryKey) -> Self {
        self.key = Some(key);
        self
    }
}
