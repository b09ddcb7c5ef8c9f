//! The walk from a backup's commit to everything that it needs.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use alfred_ops_core::{ErrorKind, Id, JobContext, ProgressUnit, Result};
use bytes::Bytes;
use futures::stream::{StreamExt as _, TryStreamExt as _};

use super::examination::{Check, Examination, Wrong, examine, fetch};
use super::pack_contents::PackContents;
use super::{Damage, DamageKind, Inspection, InspectionDepth, Unmended};
use crate::repository::Layout;
use crate::repository::frame::split_frames;
use crate::repository::header::Header;
use crate::repository::index::{Index, SourceRef, Tables};
use crate::repository::keyring::DataKey;
use crate::{BackupRecord, BlobStore, Repository};

/// Packs and chunks that are read at once: each is held in memory whole, with one frame of its raw data.
pub(super) const READS: usize = 4;

/// Looks at every object that a backup needs, from its commit down; given a `second` store, mends what is damaged
/// before it goes on to what that tells of.
#[derive(Debug)]
pub(super) struct Inspector<'a> {
    pub(super) repository: &'a Repository,
    pub(super) second: Option<&'a dyn BlobStore>,
    pub(super) context: &'a JobContext,
    pub(super) found: Inspection,
    pub(super) mended: Vec<Damage>,
    pub(super) unmended: Vec<Unmended>,
}

/// The packs that a backup needs, and what lies in each; nothing where the index that tells it is damaged.
pub(super) type Packs = BTreeMap<Id, Option<PackContents>>;

impl<'a> Inspector<'a> {
    pub(super) const fn new(
        repository: &'a Repository,
        second: Option<&'a dyn BlobStore>,
        backup: Id,
        depth: InspectionDepth,
        context: &'a JobContext,
    ) -> Self {
        let found = Inspection::new(backup, depth);
        Self { repository, second, context, found, mended: Vec::new(), unmended: Vec::new() }
    }

    pub(super) async fn run(&mut self) -> Result<()> {
        self.context.progress.begin("inspect", None, ProgressUnit::Bytes);
        self.header_and_key().await?;
        let Some((record, unpublished)) = self.commit().await? else { return Ok(()) };
        let packs = self.packs_named(&record).await?;
        match self.found.depth {
            InspectionDepth::Structure => self.list_packs(&packs).await?,
            InspectionDepth::Content => self.read_packs(packs).await?,
        }
        if let Some(range) = &record.log {
            self.log(range).await?;
        }
        match unpublished {
            Some(commit) => self.publish(commit).await,
            None => Ok(()),
        }
    }

    async fn header_and_key(&mut self) -> Result<()> {
        let (id, fingerprint) = (self.repository.id(), self.repository.data_key().map(DataKey::fingerprint));
        let location = self.repository.location().to_owned();
        let wanted = fingerprint.clone();
        let header: Check<()> = Arc::new(move |json| {
            let header = Header::parse(json, &location)?;
            let data_key = header.encryption.map(|encryption| encryption.data_key);
            let same = header.id == id && data_key == wanted;
            if same { Ok(()) } else { Err(changed("it is not the one that the repository was opened with")) }
        });
        self.look(Layout::HEADER.to_owned(), header).await?;
        let (Some(key), Some(fingerprint)) = (self.repository.options.key.clone(), fingerprint) else {
            return Ok(());
        };
        let object = Layout::key(&key.fingerprint());
        let check: Check<()> = Arc::new(move |json| {
            let same = DataKey::unwrap(json, &key)?.fingerprint() == fingerprint;
            if same { Ok(()) } else { Err(changed("it holds the key of another repository")) }
        });
        self.look(object, check).await.map(drop)
    }

    /// The backup's record, and the commit itself if that is missing here: it may only come back last, since a
    /// backup exists if and only if its commit does.
    async fn commit(&mut self) -> Result<Option<(BackupRecord, Option<Bytes>)>> {
        let (id, sealer) = (self.found.backup, self.repository.sealer.clone());
        let key = Layout::commit(id);
        let object = key.clone();
        let check: Check<BackupRecord> = Arc::new(move |data| {
            let json = sealer.open_object(&object, data)?;
            let record: BackupRecord = serde_json::from_slice(&json)
                .map_err(|error| changed(&format!("it is not what alfred-ops writes: {error}")))?;
            record.index_ref()?;
            if record.id == id { Ok(record) } else { Err(changed("it is that of another backup")) }
        });
        let second = match self.second {
            Some(second) if self.is_missing(&key).await? => second,
            _ => return Ok(self.look(key, check).await?.map(|record| (record, None))),
        };
        self.found.objects += 1;
        self.found.damages.push(Damage::missing(&key));
        match fetch(second, &key, &check).await? {
            Ok((commit, record)) => Ok(Some((record, Some(commit)))),
            Err(why) => {
                self.unmended.push(Unmended { damage: Damage::missing(&key), why });
                Ok(None)
            }
        }
    }

    async fn is_missing(&self, key: &str) -> Result<bool> {
        match self.repository.store.get(key).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            found => found.map(|_| false),
        }
    }

    /// Brings a missing commit back, if everything that it needs is whole.
    async fn publish(&mut self, commit: Bytes) -> Result<()> {
        let key = Layout::commit(self.found.backup);
        let damage = Damage::missing(&key);
        if !self.unmended.is_empty() {
            let why = "the backup that it would bring back is not whole".to_owned();
            self.unmended.push(Unmended { damage, why });
            return Ok(());
        }
        match self.repository.store.create(&key, commit).await {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => self.mended.push(damage),
        }
        Ok(())
    }

    /// Reads the indexes that the backup stands on, and gathers the packs that it needs.
    async fn packs_named(&mut self, record: &BackupRecord) -> Result<Packs> {
        let mut packs = Packs::new();
        let mut seen = HashSet::from([record.id]);
        let mut next = vec![record.index_ref()?];
        let mut itself = true;
        while let Some(source) = next.pop() {
            self.context.check("inspect")?;
            let read = self.index(source, itself).await?;
            let Some((uses, tables)) = read else {
                itself = false;
                continue;
            };
            if itself {
                packs.extend(uses.into_iter().map(|pack| (pack, None)));
                itself = false;
            }
            next.extend(tables.sources.iter().filter(|source| seen.insert(source.id)));
            let tables = Arc::new(tables);
            for (number, pack) in (0u32..).zip(&tables.packs) {
                if let Some(contents) = packs.get_mut(pack) {
                    *contents = Some(PackContents::new(source.id, Arc::clone(&tables), number));
                }
            }
        }
        Ok(packs)
    }

    /// An index: the packs that its backup needs, if that is asked for, and its tables.
    async fn index(&mut self, source: SourceRef, whole: bool) -> Result<Option<(Vec<Id>, Tables)>> {
        let (key, sealer) = (Layout::index(source.id), self.repository.sealer.clone());
        let object = key.clone();
        let check: Check<(Vec<Id>, Tables)> = Arc::new(move |data| {
            if blake3::hash(data) != source.index_hash {
                return Err(changed("it is not the one that was committed"));
            }
            let raw = sealer.open_object(&object, data)?;
            if !whole {
                return Ok((Vec::new(), Tables::read(&raw)?));
            }
            let index = Index::decode(&raw)?;
            Ok((index.uses.iter().map(|pack| pack.pack).collect(), index.tables))
        });
        self.look(key, check).await
    }

    async fn read_packs(&mut self, packs: Packs) -> Result<()> {
        let (repository, second) = (self.repository, self.second);
        let reads = futures::stream::iter(packs).map(move |(id, contents)| {
            let sealer = repository.sealer.clone();
            // What nothing tells how to check completely is not replaced.
            let second = second.filter(|_| contents.is_some());
            let check: Check<()> = Arc::new(move |pack| match &contents {
                Some(contents) => contents.check(pack, &sealer),
                None => Ok(split_frames(pack).map(drop)?),
            });
            examine(repository, second, Layout::pack(id), check)
        });
        let mut reads = reads.buffered(READS);
        while let Some(examined) = reads.try_next().await? {
            self.context.check("inspect")?;
            self.note(examined);
        }
        Ok(())
    }

    async fn look<T: Send + 'static>(&mut self, key: String, check: Check<T>) -> Result<Option<T>> {
        let examined = examine(self.repository, self.second, key, check).await?;
        Ok(self.note(examined))
    }

    /// Writes down what became of an object, and returns what it holds.
    pub(super) fn note<T>(&mut self, examined: Examination<T>) -> Option<T> {
        self.found.objects += 1;
        self.found.stored_bytes += examined.bytes;
        self.context.progress.add(examined.bytes);
        if let Some(damage) = examined.damage {
            tracing::warn!(object = damage.key, what = damage.what, "damaged");
            match (&examined.content, examined.not_mended) {
                (Some(_), _) => self.mended.push(damage.clone()),
                (None, why) => {
                    let why = why.unwrap_or_else(|| "nothing tells how to check a copy".to_owned());
                    self.unmended.push(Unmended { damage: damage.clone(), why });
                }
            }
            self.found.damages.push(damage);
        }
        examined.content
    }
}

pub(super) fn changed(what: &str) -> Wrong {
    Wrong { kind: DamageKind::Changed, what: what.to_owned() }
}

impl Repository {
    /// Looks at everything that a backup needs and names every object that is damaged or missing, where
    /// [`verify`](Self::verify) stops at the first: the header, the key in use, the commit, the indexes that it stands on,
    /// packs, and the log from the backup to its end, along all its branches. Writes nothing. Each object is read
    /// once; memory is bounded by the tables of the indexes and a few packs.
    ///
    /// # Errors
    /// The store's, if it cannot be asked. Damage is no error: see [`Inspection::into_result`].
    pub async fn inspect(
        &self,
        backup: Id,
        depth: InspectionDepth,
        context: &JobContext,
    ) -> Result<Inspection> {
        let mut inspector = Inspector::new(self, None, backup, depth, context);
        Box::pin(inspector.run()).await?;
        Ok(inspector.found)
    }
}
