//! A repository in a blob store.

use std::fmt;
use std::sync::Arc;

use alfred_ops_core::{ErrorKind, Id, JobContext, Result};
use bytes::Bytes;

use super::header::Header;
use super::{Compression, Layout};
use crate::{BlobStore, LogArchive};

/// How a repository is written. Reading does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RepositoryOptions {
    /// How strongly new data is compressed.
    pub compression: Compression,
}

impl RepositoryOptions {
    /// The same options with another compression.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }
}

/// Backups and logs in a blob store. Clones are the same repository.
///
/// It holds no state beyond the store: any number of hosts may open the same one, and a crash at any
/// moment leaves at most objects that no commit refers to.
#[derive(Clone)]
pub struct Repository {
    pub(super) store: Arc<dyn BlobStore>,
    pub(super) options: RepositoryOptions,
    id: Id,
}

impl Repository {
    /// Opens the repository in `store`, or makes one where the store holds none. Two hosts that do so at
    /// once open the same one.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a format that this version does not know; the store's own errors.
    pub async fn open_or_create(
        store: Arc<dyn BlobStore>,
        options: RepositoryOptions,
        context: &JobContext,
    ) -> Result<Self> {
        let header = match store.get(Layout::HEADER).await {
            Ok(json) => Header::parse(&json, store.location())?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let header = Header::new(Id::new(context.now(), &*context.entropy), context.now());
                let json = super::catalog::to_json(&header)?;
                match store.create(Layout::HEADER, json).await {
                    Ok(()) => header,
                    // Somebody else was faster, or an earlier attempt of ours was recorded after all.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                        Header::parse(&store.get(Layout::HEADER).await?, store.location())?
                    }
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        Ok(Self { store, options, id: header.id })
    }

    /// Opens the repository in `store` and makes none.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none, and as [`open_or_create`](Self::open_or_create).
    pub async fn open(store: Arc<dyn BlobStore>, options: RepositoryOptions) -> Result<Self> {
        let json = store.get(Layout::HEADER).await?;
        let header = Header::parse(&json, store.location())?;
        Ok(Self { store, options, id: header.id })
    }

    /// The repository's identifier, made with it.
    #[must_use]
    pub const fn id(&self) -> Id {
        self.id
    }

    /// Where it lies, without credentials.
    #[must_use]
    pub fn location(&self) -> &str {
        self.store.location()
    }

    /// The log of that name, which exists as soon as something is appended.
    #[must_use]
    pub fn log(&self, name: impl Into<String>) -> LogArchive {
        LogArchive::new(Arc::clone(&self.store), name.into(), self.options.compression)
    }

    /// Writes an object that is written once. A repeat with the same bytes is no error, since after a lost
    /// answer the first attempt may have been the one that succeeded.
    pub(super) async fn create_once(&self, key: &str, data: Bytes) -> Result<()> {
        match self.store.create(key, data.clone()).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if self.store.get(key).await? == data {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            outcome => outcome,
        }
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("location", &self.location()).field("id", &self.id).finish()
    }
}
