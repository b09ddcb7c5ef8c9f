//! Deduplication, encryption and the format, on backends in memory.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{
    Backend, BackupMode, BackupRecord, BackupRequest, BlobStore, Captured, MemoryBackend, MemoryBlobStore,
    Repository, RepositoryKey, RepositoryOptions, RestoreRequest, Restored, RetentionPolicy, SnapshotReader,
    SnapshotWriter,
};
use alfred_ops_core::{ErrorKind, JobContext, Result, SeededEntropy, SimulatedClock};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;

const PAGE: usize = 8192;

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let entropy = SeededEntropy::new(seed);
    let mut data = vec![0; bytes];
    alfred_ops_core::Entropy::fill(&entropy, &mut data);
    data
}

fn key(seed: u64) -> RepositoryKey {
    RepositoryKey::generate(&SeededEntropy::new(seed))
}

fn encrypted() -> RepositoryOptions {
    RepositoryOptions::default().with_key(key(1))
}

async fn open(store: &Arc<MemoryBlobStore>, options: RepositoryOptions) -> Result<Repository> {
    let store: Arc<dyn BlobStore> = Arc::<MemoryBlobStore>::clone(store);
    Repository::open_or_create(store, options, &JobContext::system()).await
}

async fn back_up(repository: &Repository, backend: &dyn Backend, request: BackupRequest) -> BackupRecord {
    repository.run_backup(backend, request, &JobContext::system()).await.unwrap()
}

async fn restored(repository: &Repository, record: &BackupRecord) -> BTreeMap<String, Bytes> {
    let backend = MemoryBackend::new();
    let context = JobContext::system();
    repository.run_restore(record, &backend, &RestoreRequest::new(""), &context).await.unwrap();
    backend.state()
}

#[tokio::test]
async fn only_changed_pages_are_stored_again() {
    let store = Arc::new(MemoryBlobStore::new());
    let repository = open(&store, encrypted()).await.unwrap();
    let service = MemoryBackend::new();
    let mut large = noise(1, 600 * PAGE + 77);
    service.insert("large", large.clone());
    service.insert("zeros", vec![0; 300 * PAGE]);
    for small in 0..50u64 {
        service.insert(format!("small/{small:02}"), noise(100 + small, 3000));
    }
    let first = back_up(&repository, &service, BackupRequest::full()).await;
    assert_eq!(first.base, None);
    assert_eq!(first.stats.new_bytes, (600 * PAGE + 77 + 50 * 3000) as u64, "zeros are not stored");
    let state = service.state();

    large[5 * PAGE + 9] ^= 1;
    large[400 * PAGE..402 * PAGE].fill(7);
    large[10 * PAGE..11 * PAGE].fill(0);
    large.truncate(500 * PAGE + 1);
    service.insert("large", large.clone());
    service.insert("small/07", noise(7, 9000));
    let second = back_up(&repository, &service, BackupRequest::full()).await;
    assert_eq!(second.base, Some(first.id));
    assert_eq!(second.stats.raw_bytes, second.stats.received_bytes);
    assert_eq!(second.stats.new_bytes, (3 * PAGE + 1 + 9000) as u64);
    assert_eq!(restored(&repository, &first).await, state);
    assert_eq!(restored(&repository, &second).await, service.state());

    let same = back_up(&repository, &service, BackupRequest::full()).await;
    assert_eq!(same.stats.new_bytes, 0);
    assert_eq!(restored(&repository, &same).await, service.state());
    let independent = back_up(&repository, &service, BackupRequest::full().independent()).await;
    assert_eq!(independent.base, None);
    assert_eq!(independent.stats.new_bytes, (500 * PAGE + 1 - PAGE + 49 * 3000 + 9000) as u64);
}

#[tokio::test]
async fn long_histories_restore_at_every_point() {
    let store = Arc::new(MemoryBlobStore::new());
    let repository = open(&store, RepositoryOptions::default()).await.unwrap();
    let service = MemoryBackend::new();
    let mut large = noise(2, 400 * PAGE);
    let mut history = Vec::new();
    for round in 0..80usize {
        for change in 0..5 {
            let page = (round * 131 + change * 37) % (large.len() / PAGE);
            large[page * PAGE] ^= 0x55;
        }
        match round % 10 {
            3 => large.extend(noise(round as u64, 20 * PAGE)),
            6 => large.truncate(large.len() - 30 * PAGE),
            _ => {}
        }
        service.insert("large", large.clone());
        service.insert(format!("file/{}", round % 7), noise(round as u64, 100 + round * 300));
        history.push((back_up(&repository, &service, BackupRequest::full()).await, service.state()));
    }
    for (record, state) in &history {
        assert!(restored(&repository, record).await == *state, "backup {}", record.id);
    }
    let stored: u64 = history.iter().map(|(record, _)| record.stats.stored_bytes).sum();
    let naive: u64 = history.iter().map(|(record, _)| record.stats.raw_bytes).sum();
    assert!(stored * 8 < naive, "{stored} bytes stored for {naive}");
}

/// A service that tells which of its pages have changed.
#[derive(Debug)]
struct Patching {
    bytes: u64,
    kept: u64,
    pages: Vec<(u64, Vec<u8>)>,
}

#[async_trait]
impl Backend for Patching {
    fn kind(&self) -> &str {
        "memory"
    }

    async fn capture(&self, _context: &JobContext, snapshot: &mut SnapshotWriter) -> Result<Captured> {
        assert_eq!(snapshot.mode(), BackupMode::Incremental);
        assert!(snapshot.build_on("memory", |_| true).await?.is_some());
        snapshot.begin_patch("large", 0o600, 0, self.bytes, self.kept).await?;
        for (page, data) in &self.pages {
            snapshot.write_at(page * PAGE as u64, data).await?;
        }
        snapshot.begin_file("other", 0o600, 0).await?;
        snapshot.write(b"whole").await?;
        Ok(Captured::new("memory:").incremental())
    }

    async fn restore(&self, _: &JobContext, _: SnapshotReader, _: &RestoreRequest) -> Result<Restored> {
        unreachable!("restored through the memory backend")
    }
}

#[tokio::test]
async fn patches_lie_over_the_backup_before() {
    let store = Arc::new(MemoryBlobStore::new());
    let repository = open(&store, encrypted()).await.unwrap();
    let service = MemoryBackend::new();
    let mut large = noise(3, 100 * PAGE);
    service.insert("large", large.clone());
    back_up(&repository, &service, BackupRequest::full()).await;
    // Forty rounds pass the greatest depth of maps.
    for round in 0..40u64 {
        let page = round * 2 % 90;
        let data = noise(1000 + round, PAGE);
        let (kept, bytes) = if round == 20 { (50 * PAGE, 120 * PAGE) } else { (large.len(), large.len()) };
        large.truncate(kept);
        large.resize(bytes, 0);
        let at = usize::try_from(page).unwrap() * PAGE;
        large[at..at + PAGE].copy_from_slice(&data);
        let patching = Patching { bytes: bytes as u64, kept: kept as u64, pages: vec![(page, data)] };
        let record = back_up(&repository, &patching, BackupRequest::incremental()).await;
        assert_eq!(record.stats.received_bytes, PAGE as u64 + 5);
        assert_eq!(record.stats.raw_bytes, bytes as u64 + 5);
        let state = restored(&repository, &record).await;
        assert!(state["large"] == large, "round {round}");
        assert_eq!(state["other"], "whole");
    }
    let beyond = Patching { bytes: 500 * PAGE as u64, kept: 400 * PAGE as u64, pages: Vec::new() };
    let record = back_up(&repository, &beyond, BackupRequest::incremental()).await;
    large.resize(500 * PAGE, 0);
    assert!(
        restored(&repository, &record).await["large"] == large,
        "there is nothing to keep beyond the base"
    );
    let empty = open(&Arc::new(MemoryBlobStore::new()), encrypted()).await.unwrap();
    back_up(&empty, &MemoryBackend::new(), BackupRequest::full()).await;
    let foreign = Patching { bytes: 5 * PAGE as u64, kept: 4 * PAGE as u64, pages: Vec::new() };
    let error =
        empty.run_backup(&foreign, BackupRequest::incremental(), &JobContext::system()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
}

#[tokio::test]
async fn only_the_right_key_opens_a_repository_and_keys_rotate() {
    let store = Arc::new(MemoryBlobStore::new());
    let repository = open(&store, encrypted()).await.unwrap();
    let service = MemoryBackend::new();
    service.insert("secret", "a row that nobody else may read");
    let record = back_up(&repository, &service, BackupRequest::full()).await;
    for blob in store.list("", "", 100).await.unwrap() {
        let object = store.get(&blob.key).await.unwrap();
        for word in [&b"nobody"[..], b"secret"] {
            assert!(!object.windows(word.len()).any(|window| window == word), "{} tells", blob.key);
        }
    }
    let before = store.list("", "", 100).await.unwrap();
    for (options, wanted) in [
        (RepositoryOptions::default(), "no key was given"),
        (RepositoryOptions::default().with_key(key(2)), "does not open it"),
    ] {
        let error = open(&store, options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.full().contains(wanted) && error.full().contains(&key(1).fingerprint()), "{error:?}");
    }
    assert_eq!(store.list("", "", 100).await.unwrap(), before, "nothing was changed");

    repository.add_key(&key(2)).await.unwrap();
    repository.add_key(&key(2)).await.unwrap();
    let rotated = open(&store, RepositoryOptions::default().with_key(key(2))).await.unwrap();
    assert_eq!(restored(&rotated, &record).await, service.state());
    let error = rotated.remove_key(&key(2).fingerprint()).await.unwrap_err();
    assert!(error.to_string().contains("in use"), "{error}");
    rotated.remove_key(&key(1).fingerprint()).await.unwrap();
    assert_eq!(rotated.keys().await.unwrap(), [key(2).fingerprint()]);
    assert_eq!(open(&store, encrypted()).await.unwrap_err().kind(), ErrorKind::PermissionDenied);

    let plain = Arc::new(MemoryBlobStore::new());
    open(&plain, RepositoryOptions::default()).await.unwrap();
    let error = open(&plain, encrypted()).await.unwrap_err();
    assert!(error.to_string().contains("not encrypted"), "{error}");
}

#[tokio::test]
async fn pruning_removes_in_two_steps_and_never_what_is_needed() {
    let clock = SimulatedClock::starting_at(DateTime::from_timestamp(1_790_000_000, 0).unwrap());
    let context = JobContext::system().with_clock(clock.shared());
    let store = Arc::new(MemoryBlobStore::new());
    let shared: Arc<dyn BlobStore> = Arc::<MemoryBlobStore>::clone(&store);
    let repository = Repository::open_or_create(shared, encrypted(), &context).await.unwrap();
    let service = MemoryBackend::new();
    let mut large = noise(9, 900 * PAGE);
    let mut records = Vec::new();
    let day = Duration::from_secs(24 * 3600);
    for round in 0..12u64 {
        // Nine tenths are new each day, so that old packs die.
        let fresh = noise(50 + round, 800 * PAGE);
        large[100 * PAGE..].copy_from_slice(&fresh);
        service.insert("large", large.clone());
        records.push(repository.run_backup(&service, BackupRequest::full(), &context).await.unwrap());
        clock.advance(day);
    }
    let state = service.state();
    let bytes =
        async || -> u64 { store.list("", "", 10_000).await.unwrap().iter().map(|blob| blob.bytes).sum() };
    let full = bytes().await;
    repository.hold(records[3].id).await.unwrap();
    let policy =
        RetentionPolicy::default().with_copies_min(2).with_calendar(0, 0, 0).with_window(Duration::ZERO);
    let plan = repository.plan_retention(&policy, &context).await.unwrap();
    assert_eq!(plan.forgotten().count(), 9, "{plan}");

    // A backup is under way that builds on one that is forgotten: it does not become visible.
    let report = repository.prune(&policy, &context).await.unwrap();
    assert_eq!((report.forgotten.len(), report.removed), (9, 0));
    assert!(report.marked > 0, "{report:?}");
    let kept = repository.backups().await.unwrap();
    assert_eq!(kept.len(), 3);
    clock.advance(day);
    let report = repository.prune(&policy, &context).await.unwrap();
    assert_eq!(
        (report.forgotten.len(), report.marked, report.removed),
        (0, 0, 0),
        "too early, and marked already"
    );
    clock.advance(3 * day);
    let report = repository.prune(&policy, &context).await.unwrap();
    assert!(report.removed > 5, "{report:?}");
    assert!(bytes().await < full / 2, "{} of {full} bytes are left", bytes().await);
    for record in &kept {
        repository.verify(record, &context).await.unwrap();
    }
    assert!(restored(&repository, &kept[2]).await == state);
    let again = repository.prune(&policy, &context).await.unwrap();
    assert_eq!((again.marked, again.removed), (0, 0), "nothing is left to do");
    repository.release(records[3].id).await.unwrap();
    assert_eq!(repository.prune(&policy, &context).await.unwrap().forgotten, [records[3].id]);
    let next = repository.run_backup(&service, BackupRequest::full(), &context).await.unwrap();
    assert_eq!(next.base, Some(kept[2].id));
    repository.verify(&next, &context).await.unwrap();
}

/// A service whose backup is forgotten while the next one builds on it.
#[derive(Debug)]
struct Interrupted(Repository);

#[async_trait]
impl Backend for Interrupted {
    fn kind(&self) -> &str {
        "memory"
    }

    async fn capture(&self, context: &JobContext, snapshot: &mut SnapshotWriter) -> Result<Captured> {
        snapshot.build_on("memory", |_| true).await?;
        snapshot.begin_file("large", 0o600, 0).await?;
        snapshot.write(&noise(4, 50 * PAGE)).await?;
        let other = MemoryBackend::new();
        other.insert("x", "y");
        self.0.run_backup(&other, BackupRequest::full().independent(), context).await?;
        let none =
            RetentionPolicy::default().with_copies_min(1).with_calendar(0, 0, 0).with_window(Duration::ZERO);
        self.0.prune(&none, context).await?;
        Ok(Captured::new("memory:"))
    }

    async fn restore(&self, _: &JobContext, _: SnapshotReader, _: &RestoreRequest) -> Result<Restored> {
        unreachable!("it is never visible")
    }
}

#[tokio::test]
async fn a_backup_whose_base_is_forgotten_meanwhile_is_refused() {
    let store = Arc::new(MemoryBlobStore::new());
    let repository = open(&store, encrypted()).await.unwrap();
    let service = MemoryBackend::new();
    service.insert("large", noise(4, 50 * PAGE));
    back_up(&repository, &service, BackupRequest::full()).await;
    let interrupted = Interrupted(repository.clone());
    let error =
        repository.run_backup(&interrupted, BackupRequest::full(), &JobContext::system()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("was forgotten meanwhile"), "{error}");
    assert_eq!(repository.backups().await.unwrap().len(), 1);
}
