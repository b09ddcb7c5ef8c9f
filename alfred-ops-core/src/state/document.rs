//! One document as read.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind, Result};

/// One document of a [`StateStore`](crate::StateStore) as it was at one moment.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Document {
    /// Its name.
    pub key: String,
    /// Its content.
    pub value: serde_json::Value,
    /// Changes with every write and is never used again in this store, not even after a delete.
    pub version: u64,
    /// The store's own clock at this read: the one clock that all users of a store share.
    pub read_at: DateTime<Utc>,
}

impl Document {
    /// A document, as implementations of a store make them.
    #[must_use]
    pub fn new(
        key: impl Into<String>,
        value: serde_json::Value,
        version: u64,
        read_at: DateTime<Utc>,
    ) -> Self {
        Self { key: key.into(), value, version, read_at }
    }

    /// The content as a type.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the content is not such a value.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.value).map_err(|source| {
            Error::new(ErrorKind::Corrupt, "read state", "the document is not of the expected form")
                .with_target(self.key.clone())
                .with_remedy("delete the document if no newer version of this software wrote it")
                .with_source(source)
        })
    }
}
