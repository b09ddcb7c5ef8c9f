//! Which backups there are.

use alfred_ops_core::{Error, ErrorKind, Id, Result};
use bytes::Bytes;
use serde::Serialize;

use super::index::Index;
use super::{BackupRecord, Layout, Repository};

/// Listings are read in pages of this many keys.
const PAGE: usize = 1000;

impl Repository {
    /// All finished backups, oldest first. An interrupted backup is none.
    ///
    /// # Errors
    /// The store's; [`ErrorKind::Corrupt`] for a record that cannot be read.
    pub async fn backups(&self) -> Result<Vec<BackupRecord>> {
        let mut records = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.store.list(Layout::COMMITS, &after, PAGE).await?;
            for blob in &page {
                if let Some(id) = Layout::backup_of_commit(&blob.key) {
                    records.push(self.backup(id).await?);
                }
            }
            match page.last() {
                Some(blob) if page.len() == PAGE => after.clone_from(&blob.key),
                _ => return Ok(records),
            }
        }
    }

    /// One finished backup.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such backup or it was never finished.
    pub async fn backup(&self, id: Id) -> Result<BackupRecord> {
        let key = Layout::commit(id);
        let json = self.store.get(&key).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                Error::new(ErrorKind::NotFound, "find backup", format!("there is no backup {id}"))
                    .with_target(self.location())
                    .with_remedy("list the repository's backups")
            }
            _ => error,
        })?;
        serde_json::from_slice(&json).map_err(|source| {
            Error::new(ErrorKind::Corrupt, "read backup record", "it is not what alfred-ops writes")
                .with_target(format!("{}/{key}", self.location()))
                .with_source(source)
        })
    }

    /// Makes a backup visible. The index and all packs must be stored.
    pub(crate) async fn commit(&self, record: &BackupRecord) -> Result<()> {
        self.create_once(&Layout::commit(record.id), to_json(record)?).await
    }

    pub(crate) async fn store_index(&self, backup: Id, index: &Index) -> Result<(String, u64)> {
        let object = index.encode(self.options.compression)?;
        let (hash, bytes) = (blake3::hash(&object).to_hex().to_string(), object.len() as u64);
        self.store.put(&Layout::index(backup), object).await?;
        Ok((hash, bytes))
    }

    pub(crate) async fn load_index(&self, record: &BackupRecord) -> Result<Index> {
        let key = Layout::index(record.id);
        let at = |error: Error| error.with_target(format!("{}/{key}", self.location()));
        let object = self.store.get(&key).await?;
        if blake3::hash(&object).to_hex().as_str() != record.index_hash {
            return Err(at(Error::new(
                ErrorKind::Corrupt,
                "read index",
                "it is not the one that was committed",
            )));
        }
        Index::decode(&object).map_err(at)
    }
}

pub(super) fn to_json(value: &impl Serialize) -> Result<Bytes> {
    serde_json::to_vec_pretty(value).map(Bytes::from).map_err(|source| {
        Error::new(ErrorKind::Internal, "write record", "it has no JSON").with_source(source)
    })
}
