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
}

impl RepositoryOptions {
    /// The same options with another compression.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The same options with a key (feature `encryption`).
    #[must_use]
    pub fn with_key(mut self, key: RepositoryKey) -> Self {
        self.key = Some(key);
        self
    }
}
