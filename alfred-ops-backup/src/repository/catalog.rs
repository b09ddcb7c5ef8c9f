//! Which backups there are.

use alfred_ops_core::{Error, ErrorKind, Id, Result};
use bytes::Bytes;
use futures::stream::StreamExt as _;
use serde::Serialize;

use super::index::{Index, SourceRef};
use super::{BackupRecord, Damage, DamageKind, Layout, Repository, read_again_if_damaged};

/// Records being fetched at once.
const READS: usize = 16;

/// The finished backups of a repository.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Catalog {
    /// Those whose records can be read, oldest first.
    pub backups: Vec<BackupRecord>,
    /// Records that cannot: their backups are there and may be whole. A repair may bring them back.
    pub damaged: Vec<Damage>,
}

impl Repository {
    /// All finished backups. An interrupted backup is none; one that is forgotten meanwhile may or may not be
    /// there; a damaged record hides no other.
    ///
    /// # Errors
    /// The store's.
    pub async fn catalog(&self) -> Result<Catalog> {
        let ids = self.backup_ids().await?;
        let mut reads = futures::stream::iter(ids)
            .map(|id| {
                let repository = self.clone();
                async move { (id, repository.backup(id).await) }
            })
            .buffered(READS);
        let mut catalog = Catalog::default();
        while let Some((id, read)) = reads.next().await {
            match read {
                Ok(record) => catalog.backups.push(record),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    tracing::error!(backup = %id, error = %error.full(), "a backup's record is damaged");
                    catalog.damaged.push(Damage::new(
                        Layout::commit(id),
                        DamageKind::Changed,
                        error.to_string(),
                    ));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(catalog)
    }

    /// All finished backups, oldest first, for whom each of them matters.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a record that cannot be read; the store's.
    pub async fn backups(&self) -> Result<Vec<BackupRecord>> {
        let Catalog { backups, damaged } = self.catalog().await?;
        match damaged.first() {
            None => Ok(backups),
            Some(damage) => {
                Err(Error::new(ErrorKind::Corrupt, "read backup record", "it is not what was written")
                    .with_target(self.key_target(&damage.key))
                    .with_remedy("mend it from a copy of the repository (Repository::repair)"))
            }
        }
    }

    /// The identifiers of all finished backups, oldest first. Their records are not read and may be damaged.
    ///
    /// # Errors
    /// The store's.
    pub async fn backup_ids(&self) -> Result<Vec<Id>> {
        let commits = self.keys_below(Layout::COMMITS).await?;
        Ok(commits.iter().filter_map(|(key, _)| Layout::backup_of_commit(key)).collect())
    }

    /// One finished backup.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such backup or it was never finished.
    pub async fn backup(&self, id: Id) -> Result<BackupRecord> {
        let key = Layout::commit(id);
        let json = self.read_sealed(&key).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                Error::new(ErrorKind::NotFound, "find backup", format!("there is no backup {id}"))
                    .with_target(self.location())
                    .with_remedy("list the repository's backups")
            }
            _ => error,
        })?;
        serde_json::from_slice(&json).map_err(|source| {
            Error::new(ErrorKind::Corrupt, "read backup record", "it is not what alfred-ops writes")
                .with_target(self.key_target(&key))
                .with_source(source)
        })
    }

    /// Makes a backup visible. The index and all packs must be stored.
    pub(crate) async fn commit(&self, record: &BackupRecord) -> Result<()> {
        self.create_sealed(&Layout::commit(record.id), &to_json(record)?).await
    }

    /// Stores an index and returns its hash and stored length.
    pub(super) async fn store_index(&self, backup: Id, index: &Index) -> Result<(blake3::Hash, u64)> {
        let key = Layout::index(backup);
        let object = self.sealer.seal_object(&key, &index.encode(), self.options.compression)?;
        let (hash, bytes) = (blake3::hash(&object), object.len() as u64);
        self.store.put(&key, object).await?;
        Ok((hash, bytes))
    }

    /// The raw bytes of an index, known to be the one that was committed.
    pub(super) async fn load_index(&self, source: &SourceRef) -> Result<Bytes> {
        let key = Layout::index(source.id);
        let at = |error: Error| error.with_target(self.key_target(&key));
        read_again_if_damaged(|| async {
            let object = self.store.get(&key).await?;
            if blake3::hash(&object) != source.index_hash {
                let what = "it is not the one that was committed";
                return Err(at(Error::new(ErrorKind::Corrupt, "read index", what)));
            }
            self.sealer.open_object(&key, &object).map_err(at)
        })
        .await
    }
}

pub(super) fn to_json(value: &impl Serialize) -> Result<Bytes> {
    serde_json::to_vec_pretty(value).map(Bytes::from).map_err(|source| {
        Error::new(ErrorKind::Internal, "write record", "it has no JSON").with_source(source)
    })
}
