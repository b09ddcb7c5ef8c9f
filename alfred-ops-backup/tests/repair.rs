//! Damage of every kind of object: named, and mended from a second store.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use alfred_ops_backup::{
    Backend, BackupRecord, BackupRequest, BlobInfo, BlobStore, Captured, DamageKind, InspectionDepth,
    LogRange, MemoryBackend, MemoryBlobStore, Repository, RepositoryKey, RepositoryOptions, RestoreRequest,
    Restored, SnapshotReader, SnapshotWriter,
};
use alfred_ops_core::{Entropy as _, Error, ErrorKind, Id, JobContext, Result, SeededEntropy};
use async_trait::async_trait;
use bytes::Bytes;

const LOG: &str = "wal-1-00000001";

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut data = vec![0; bytes];
    SeededEntropy::new(seed).fill(&mut data);
    data
}

fn key(seed: u64) -> RepositoryKey {
    RepositoryKey::generate(&SeededEntropy::new(seed))
}

fn options(encrypted: bool) -> RepositoryOptions {
    if encrypted { RepositoryOptions::default().with_key(key(1)) } else { RepositoryOptions::default() }
}

/// A memory backend that also writes a log.
#[derive(Debug, Default)]
struct Logged {
    files: MemoryBackend,
    log: Mutex<Option<Repository>>,
}

#[async_trait]
impl Backend for Logged {
    fn kind(&self) -> &str {
        self.files.kind()
    }

    async fn capture(&self, context: &JobContext, snapshot: &mut SnapshotWriter) -> Result<Captured> {
        let repository = self.log.lock().unwrap().clone().unwrap();
        let log = repository.log(LOG);
        for (start, text) in [(100, "before the backup"), (117, "during it"), (126, "and after it")] {
            log.append(start, text.into()).await?;
        }
        repository.log("wal-1-00000002").append(120, "on a branch".into()).await?;
        let range = LogRange { log: LOG.to_owned(), positions: 110..126 };
        Ok(self.files.capture(context, snapshot).await?.with_log(range))
    }

    async fn restore(
        &self,
        context: &JobContext,
        snapshot: SnapshotReader,
        request: &RestoreRequest,
    ) -> Result<Restored> {
        self.files.restore(context, snapshot, request).await
    }
}

/// Two backups, the second of which stands on the first, and a mirror of their store.
struct Site {
    store: Arc<MemoryBlobStore>,
    mirror: Arc<MemoryBlobStore>,
    repository: Repository,
    first: BackupRecord,
    record: BackupRecord,
    state: BTreeMap<String, Bytes>,
    context: JobContext,
    encrypted: bool,
}

impl Site {
    async fn new(encrypted: bool) -> Self {
        let context = JobContext::system();
        let store = Arc::new(MemoryBlobStore::new());
        let shared: Arc<dyn BlobStore> = Arc::<MemoryBlobStore>::clone(&store);
        let repository = Repository::open_or_create(shared, options(encrypted), &context).await.unwrap();
        let service = Logged::default();
        *service.log.lock().unwrap() = Some(repository.clone());
        // More than a pack, and small files.
        let mut large = noise(1, 10 << 20);
        service.files.insert("large", large.clone());
        for small in 0..20u64 {
            service.files.insert(format!("small/{small:02}"), noise(100 + small, 3000));
        }
        let first = repository.run_backup(&service, BackupRequest::full(), &context).await.unwrap();
        large[5 << 20] ^= 1;
        service.files.insert("large", large);
        let record = repository.run_backup(&service, BackupRequest::full(), &context).await.unwrap();
        assert_eq!(record.base, Some(first.id));
        let mirror = Arc::new(MemoryBlobStore::new());
        let site = Self {
            store,
            mirror,
            repository,
            first,
            record,
            state: service.files.state(),
            context,
            encrypted,
        };
        for blob in site.blobs().await {
            site.mirror.put(&blob, site.store.get(&blob).await.unwrap()).await.unwrap();
        }
        site
    }

    async fn blobs(&self) -> Vec<String> {
        let blobs = self.store.list("", "", 1000).await.unwrap();
        // What probes of the store leave behind is no part of a repository.
        let known = ["commits/", "indexes/", "keys/", "logs/", "packs/", "repository.json"];
        blobs
            .into_iter()
            .map(|blob| blob.key)
            .filter(|key| known.iter().any(|known| key.starts_with(known)))
            .collect()
    }

    /// The objects that the second backup needs.
    async fn needed(&self) -> Vec<String> {
        let other = format!("commits/{}", self.first.id);
        self.blobs().await.into_iter().filter(|key| *key != other).collect()
    }

    async fn damages(&self, depth: InspectionDepth) -> Vec<(String, DamageKind)> {
        let found = self.repository.inspect(self.record.id, depth, &self.context).await.unwrap();
        assert_eq!(found.is_whole(), found.clone().into_result().is_ok());
        found.damages.into_iter().map(|damage| (damage.key, damage.kind)).collect()
    }

    async fn mended(&self) -> Vec<String> {
        let report = self.repository.repair(self.record.id, &*self.mirror, &self.context).await.unwrap();
        assert!(report.is_whole(), "{report:?}");
        report.mended.into_iter().map(|damage| damage.key).collect()
    }

    async fn assert_whole(&self) {
        assert_eq!(self.damages(InspectionDepth::Content).await, []);
        assert_eq!(self.damages(InspectionDepth::Structure).await, []);
        self.repository.verify(&self.record, &self.context).await.unwrap();
        let service = MemoryBackend::new();
        let request = RestoreRequest::new("");
        self.repository.run_restore(&self.record, &service, &request, &self.context).await.unwrap();
        assert!(service.state() == self.state);
    }

    async fn open(&self) -> Result<Repository> {
        let shared: Arc<dyn BlobStore> = Arc::<MemoryBlobStore>::clone(&self.store);
        Repository::open(shared, options(self.encrypted)).await
    }

    async fn repair_entrance(&self) -> Result<Vec<String>> {
        let mirror: Arc<dyn BlobStore> = Arc::<MemoryBlobStore>::clone(&self.mirror);
        let mended = Repository::repair_entrance(&*self.store, mirror, &options(self.encrypted)).await?;
        Ok(mended.into_iter().map(|damage| damage.key).collect())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Flip,
    Truncate,
    Delete,
}

async fn harm(store: &MemoryBlobStore, key: &str, harm: Harm) {
    let mut data = store.get(key).await.unwrap().to_vec();
    match harm {
        // Not in the white space of a document.
        Harm::Flip if key == "repository.json" => {
            let digit = data.windows(4).position(|window| window == b"\"id\"").unwrap() + 10;
            data[digit] ^= 1;
        }
        Harm::Flip => {
            let middle = data.len() / 2;
            data[middle] ^= 1;
        }
        Harm::Truncate => data.truncate(data.len() / 2),
        Harm::Delete => return store.delete(key).await.unwrap(),
    }
    store.put(key, data.into()).await.unwrap();
}

async fn every_damaged_object_is_named_and_mended(encrypted: bool) {
    let site = Site::new(encrypted).await;
    site.assert_whole().await;
    let needed = site.needed().await;
    for folder in ["commits/", "indexes/", "logs/wal-1-00000001/", "logs/wal-1-00000002/", "packs/"] {
        assert!(needed.iter().any(|key| key.starts_with(folder)), "{folder}");
    }
    assert_eq!(needed.iter().any(|key| key.starts_with("keys/")), encrypted);
    assert_eq!(needed.iter().filter(|key| key.starts_with("indexes/")).count(), 2);
    assert!(needed.iter().filter(|key| key.starts_with("packs/")).count() >= 3);
    for key in needed {
        for how in [Harm::Flip, Harm::Truncate, Harm::Delete] {
            harm(&site.store, &key, how).await;
            // A chunk that is gone has no name; what follows the backup and is gone is not missed.
            let (chunk, gone) = (key.starts_with("logs/"), how == Harm::Delete);
            let within = key.contains("0000000000000064") || key.contains("0000000000000075");
            let found = site.damages(InspectionDepth::Content).await;
            match (chunk && gone, within) {
                (true, true) => assert_eq!(found, [(format!("logs/{LOG}/"), DamageKind::Missing)], "{key}"),
                (true, false) => assert_eq!(found, [], "{key}"),
                _ => {
                    assert_eq!(found.len(), 1, "{how:?} of {key}: {found:?}");
                    assert_eq!(found[0].0, key, "{how:?}");
                    assert_eq!(found[0].1 == DamageKind::Missing, gone, "{key}");
                }
            }
            let quick = site.damages(InspectionDepth::Structure).await;
            if key.starts_with("packs/") {
                assert_eq!(quick.is_empty(), how == Harm::Flip, "{how:?} of {key}: {quick:?}");
            } else if !chunk {
                assert_eq!(quick, found, "{how:?} of {key}");
            }
            assert_eq!(site.mended().await, std::slice::from_ref(&key), "{how:?}");
            assert_eq!(site.store.get(&key).await.unwrap(), site.mirror.get(&key).await.unwrap());
            if how == Harm::Flip {
                site.assert_whole().await;
            }
        }
    }
    site.assert_whole().await;
    assert_eq!(site.mended().await, [""; 0], "nothing is left to do");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_damaged_object_is_named_and_mended_plain() {
    every_damaged_object_is_named_and_mended(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_damaged_object_is_named_and_mended_encrypted() {
    every_damaged_object_is_named_and_mended(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_damages_are_named_at_once_and_mended_together() {
    let site = Site::new(true).await;
    let packs: Vec<String> =
        site.needed().await.into_iter().filter(|key| key.starts_with("packs/")).collect();
    let index = format!("indexes/{}", site.first.id);
    let hows = [Harm::Flip, Harm::Delete, Harm::Truncate];
    for (key, how) in packs.iter().zip(hows) {
        harm(&site.store, key, how).await;
    }
    let found: BTreeSet<String> =
        site.damages(InspectionDepth::Content).await.into_iter().map(|(key, _)| key).collect();
    assert_eq!(found, packs.iter().take(3).cloned().collect());
    let error =
        site.repository.inspect(site.record.id, InspectionDepth::Content, &site.context).await.unwrap();
    let error = error.into_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.full().contains(&packs[1]) && error.full().contains("repair"), "{}", error.full());

    // Everything that the backup needs at once: each level is mended before what it tells of.
    harm(&site.store, &index, Harm::Flip).await;
    harm(&site.store, &format!("commits/{}", site.record.id), Harm::Delete).await;
    for key in site.blobs().await.iter().filter(|key| key.starts_with("logs/")) {
        harm(&site.store, key, Harm::Truncate).await;
    }
    let mended = site.mended().await;
    assert!(mended.len() >= 3 + 2 + 4, "{mended:?}");
    assert_eq!(mended.last().unwrap(), &format!("commits/{}", site.record.id), "it comes back last");
    site.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_second_store_has_not_whole_is_told_and_left() {
    let site = Site::new(true).await;
    let packs: Vec<String> =
        site.needed().await.into_iter().filter(|key| key.starts_with("packs/")).collect();
    let (both, only_here, gone_there) = (&packs[0], &packs[1], &packs[2]);
    harm(&site.store, both, Harm::Flip).await;
    harm(&site.mirror, both, Harm::Truncate).await;
    harm(&site.store, only_here, Harm::Flip).await;
    harm(&site.store, gone_there, Harm::Truncate).await;
    harm(&site.mirror, gone_there, Harm::Delete).await;
    let before = (site.store.get(both).await.unwrap(), site.store.get(gone_there).await.unwrap());
    let commit = format!("commits/{}", site.record.id);
    harm(&site.store, &commit, Harm::Delete).await;

    let report = site.repository.repair(site.record.id, &*site.mirror, &site.context).await.unwrap();
    assert!(!report.is_whole());
    let mended: Vec<&str> = report.mended.iter().map(|damage| damage.key.as_str()).collect();
    assert_eq!(mended, [only_here]);
    let unmended: Vec<(&str, &str)> =
        report.unmended.iter().map(|left| (left.damage.key.as_str(), left.why.as_str())).collect();
    assert_eq!(unmended.len(), 3, "{unmended:?}");
    assert!(unmended[0].0 == both && unmended[0].1.contains("damaged too"), "{unmended:?}");
    assert!(unmended[1].0 == gone_there && unmended[1].1.contains("has none"), "{unmended:?}");
    assert!(
        unmended[2].0 == commit && unmended[2].1.contains("not whole"),
        "a part is no backup: {unmended:?}"
    );
    let after = (site.store.get(both).await.unwrap(), site.store.get(gone_there).await.unwrap());
    assert_eq!(before, after, "what may be partly good stays");
    assert_eq!(site.store.get(&commit).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_store_with_another_repository_is_refused() {
    let (site, other) = (Site::new(false).await, Site::new(false).await);
    let pack = site.needed().await.into_iter().find(|key| key.starts_with("packs/")).unwrap();
    harm(&site.store, &pack, Harm::Flip).await;
    let error = site.repository.repair(site.record.id, &*other.mirror, &site.context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.full());
    let empty = MemoryBlobStore::new();
    let error = site.repository.repair(site.record.id, &empty, &site.context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{}", error.full());
    let mirror: Arc<dyn BlobStore> = Arc::<MemoryBlobStore>::clone(&other.mirror);
    let plain = RepositoryOptions::default();
    let entrance = Repository::repair_entrance(&*site.store, mirror, &plain);
    assert_eq!(entrance.await.unwrap_err().kind(), ErrorKind::Conflict);
    let unknown = site.repository.repair(
        "0190a000-0000-7000-8000-000000000000".parse().unwrap(),
        &*site.mirror,
        &site.context,
    );
    let report = unknown.await.unwrap();
    assert!(!report.is_whole() && report.unmended[0].why.contains("has none"), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_does_not_open_is_mended_first() {
    let site = Site::new(true).await;
    let object = format!("keys/{}", key(1).fingerprint());
    assert_eq!(site.repair_entrance().await.unwrap(), [""; 0]);
    for damaged in ["repository.json", &object] {
        for how in [Harm::Flip, Harm::Truncate, Harm::Delete] {
            harm(&site.store, damaged, how).await;
            assert_eq!(site.repair_entrance().await.unwrap(), [damaged], "{how:?}");
            site.open().await.unwrap();
            site.assert_whole().await;
        }
    }
    // Whoever lost access does not get it back from an old copy.
    site.repository.add_key(&key(2)).await.unwrap();
    site.store.delete(&object).await.unwrap();
    assert_eq!(site.repair_entrance().await.unwrap(), [""; 0]);
    assert_eq!(site.open().await.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

/// Counts what is read whole, and fails every write after some.
#[derive(Debug)]
struct Watched {
    inner: Arc<MemoryBlobStore>,
    read: Mutex<BTreeMap<String, usize>>,
    writes_left: Mutex<usize>,
}

#[async_trait]
impl BlobStore for Watched {
    fn location(&self) -> &str {
        self.inner.location()
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        {
            let mut left = self.writes_left.lock().unwrap();
            *left =
                left.checked_sub(1).ok_or_else(|| Error::new(ErrorKind::Unavailable, "put", "it is down"))?;
        }
        self.inner.put(key, data).await
    }

    async fn create(&self, key: &str, data: Bytes) -> Result<()> {
        self.inner.create(key, data).await
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        *self.read.lock().unwrap().entry(key.to_owned()).or_default() += 1;
        self.inner.get(key).await
    }

    async fn get_range(&self, key: &str, _: Range<u64>) -> Result<Bytes> {
        panic!("{key} is read in pieces")
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<BlobInfo>> {
        self.inner.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        panic!("{key} is deleted")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_object_is_read_once_and_an_interrupted_repair_goes_on() {
    let site = Site::new(true).await;
    let watched = Arc::new(Watched {
        inner: Arc::clone(&site.store),
        read: Mutex::default(),
        writes_left: Mutex::new(1),
    });
    let shared: Arc<dyn BlobStore> = Arc::<Watched>::clone(&watched);
    let repository = Repository::open(shared, options(true)).await.unwrap();
    watched.read.lock().unwrap().clear();
    let found = repository.inspect(site.record.id, InspectionDepth::Content, &site.context).await.unwrap();
    let needed = site.needed().await;
    assert_eq!(found.objects, needed.len() as u64);
    let read = watched.read.lock().unwrap().clone();
    assert_eq!(read, needed.iter().map(|key| (key.clone(), 1)).collect());
    let bytes: u64 = {
        let all = site.store.list("", "", 1000).await.unwrap();
        all.iter().filter(|blob| needed.contains(&blob.key)).map(|blob| blob.bytes).sum()
    };
    assert_eq!(found.stored_bytes, bytes);

    for pack in needed.iter().filter(|key| key.starts_with("packs/")).take(2) {
        harm(&site.store, pack, Harm::Flip).await;
    }
    let error = repository.repair(site.record.id, &*site.mirror, &site.context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let left = site.damages(InspectionDepth::Content).await;
    assert_eq!(left.len(), 1, "one was mended, the other is as it was: {left:?}");
    assert_eq!(site.mended().await, [left[0].0.clone()]);
    site.assert_whole().await;
    let ids: Vec<Id> = site.repository.backup_ids().await.unwrap();
    assert_eq!(ids, [site.first.id, site.record.id]);
}
