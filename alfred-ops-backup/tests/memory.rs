//! The repository on backends and stores in memory.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::testing::{BlobMethod, Fault, FaultyBlobStore, conformance};
use alfred_ops_backup::{
    BackupJob, BackupRequest, BackupSchedule, BlobStore, Captured, MemoryBackend, MemoryBlobStore,
    MockBackend, MockBlobStore, Repository, RepositoryOptions, RestoreRequest, RetentionPolicy,
};
use alfred_ops_core::{Error, ErrorKind, JobContext, MemoryStateStore, Supervisor, SystemClock};

async fn repository(store: Arc<dyn BlobStore>) -> Repository {
    Repository::open_or_create(store, RepositoryOptions::default(), &JobContext::system()).await.unwrap()
}

fn service() -> MemoryBackend {
    let service = MemoryBackend::new();
    service.insert("empty", "");
    for number in 0u32..40 {
        // Some three MiB, so that frames hold several files and files span several frames.
        let value: Vec<u8> = (0..number * 4000).map(|byte| (byte * number % 251) as u8).collect();
        service.insert(format!("folder/{number}"), value);
    }
    service
}

#[tokio::test]
async fn a_memory_backend_keeps_the_contract() {
    conformance::backend(&service()).await;
}

#[tokio::test]
async fn every_damaged_object_is_found_before_it_is_restored() {
    let context = JobContext::system();
    let store = Arc::new(MemoryBlobStore::new());
    let repository = repository(Arc::<MemoryBlobStore>::clone(&store)).await;
    let backend = service();
    let state = backend.state();
    let record = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
    for blob in store.list("", "", 100).await.unwrap() {
        if blob.key == "repository.json" {
            continue;
        }
        let whole = store.get(&blob.key).await.unwrap();
        let mut damaged = whole.to_vec();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x10;
        store.put(&blob.key, damaged.into()).await.unwrap();
        if blob.key.starts_with("commits/") {
            // A record is small and read whole; its damage shows as another record or none.
            let read = repository.backup(record.id).await;
            assert!(read.is_err() || read.unwrap() != record);
        } else {
            let error = repository.verify(&record, &context).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{}: {error}", blob.key);
            assert!(error.to_string().contains(&blob.key), "the object is named: {error}");
            backend.clear();
            repository.run_restore(&record, &backend, &RestoreRequest::new(""), &context).await.unwrap_err();
            assert!(backend.state().is_empty());
        }
        store.delete(&blob.key).await.unwrap();
        assert!(repository.verify(&record, &context).await.is_err() || blob.key.starts_with("commits/"));
        store.put(&blob.key, whole).await.unwrap();
    }
    repository.run_restore(&record, &backend, &RestoreRequest::new(""), &context).await.unwrap();
    assert_eq!(backend.state(), state);
}

#[tokio::test]
async fn a_damaged_backup_hides_no_other_and_keeps_no_new_one_away() {
    let context = JobContext::system();
    let store = Arc::new(MemoryBlobStore::new());
    let repository = repository(Arc::<MemoryBlobStore>::clone(&store)).await;
    let backend = service();
    let first = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
    let damage = async |key: String| store.put(&key, vec![1, 2, 3].into()).await.unwrap();
    for (object, note) in [("commits", false), ("indexes", true)] {
        let second = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
        damage(format!("{object}/{}", second.id)).await;
        let third = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
        assert_ne!(third.base, Some(second.id));
        assert!(third.base.is_some(), "an older one is whole");
        assert_eq!(third.note.is_some_and(|note| note.contains(&second.id.to_string())), note);
    }
    let catalog = repository.catalog().await.unwrap();
    assert_eq!((catalog.backups.len(), catalog.damaged.len()), (4, 1), "{:?}", catalog.damaged);
    assert_eq!(catalog.backups[0], first);
    let error = repository.prune(&RetentionPolicy::default(), &context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "nobody knows what it needs");
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("repair")), "{error}");
}

#[tokio::test]
async fn damage_on_the_way_is_not_damage_where_it_lies() {
    let context = JobContext::system();
    let store = Arc::new(FaultyBlobStore::new(MemoryBlobStore::new()));
    let repository = repository(Arc::<FaultyBlobStore<MemoryBlobStore>>::clone(&store)).await;
    let backend = service();
    let record = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
    // The index, the record, and a frame.
    store.script(BlobMethod::Get, [Fault::FlipBit(700)]);
    store.script(BlobMethod::GetRange, [Fault::FlipBit(7)]);
    repository.verify(&record, &context).await.unwrap();
    store.script(BlobMethod::Get, [Fault::Truncate(3)]);
    assert_eq!(repository.backup(record.id).await.unwrap(), record);
    assert_eq!(store.injected(), 3);
    store.script(BlobMethod::GetRange, [Fault::FlipBit(7), Fault::FlipBit(7)]);
    let error = repository.verify(&record, &context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[tokio::test]
async fn a_failed_capture_is_no_backup_and_the_next_one_works() {
    let context = JobContext::system();
    let repository = repository(Arc::new(MemoryBlobStore::new())).await;
    let mut backend = MockBackend::new();
    backend.expect_kind().return_const("mock".to_owned());
    backend
        .expect_capture()
        .times(1)
        .returning(|_, _| Err(Error::new(ErrorKind::Unavailable, "capture", "gone")));
    backend.expect_capture().returning(|_, _| Ok(Captured::new("mock:")));
    assert_eq!(
        repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    assert!(repository.backups().await.unwrap().is_empty());
    let record = repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
    assert_eq!(repository.backups().await.unwrap(), std::slice::from_ref(&record));
    let error = repository
        .run_restore(&record, &MemoryBackend::new(), &RestoreRequest::new(""), &context)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("\"mock\""), "{error}");
}

#[tokio::test]
async fn a_full_store_is_reported_and_leaves_no_backup() {
    let context = JobContext::system();
    let inner = Arc::new(MemoryBlobStore::new());
    repository(Arc::<MemoryBlobStore>::clone(&inner)).await;
    let mut store = MockBlobStore::new();
    store.expect_location().return_const("memory:full".to_owned());
    let header = inner.get("repository.json").await.unwrap();
    store.expect_get().returning(move |_| Ok(header.clone()));
    store.expect_put().returning(|key, _| {
        Err(Error::new(ErrorKind::ResourceExhausted, "write blob", "the store is full").with_target(key))
    });
    store.expect_list().returning(|_, _, _| Ok(Vec::new()));
    store.expect_create().never();
    let full = Repository::open(Arc::new(store), RepositoryOptions::default()).await.unwrap();
    let error = full.run_backup(&service(), BackupRequest::full(), &context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    assert!(repository(inner).await.backups().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_log_has_no_hidden_gaps() {
    let log = repository(Arc::new(MemoryBlobStore::new())).await.log("wal");
    log.append(100, "abcde".into()).await.unwrap();
    log.append(105, "fgh".into()).await.unwrap();
    log.append(103, "defghi".into()).await.unwrap();
    log.append(105, "fgh".into()).await.unwrap();
    log.append(120, "later".into()).await.unwrap();
    assert_eq!(log.stored_until(100).await.unwrap(), 109);
    assert_eq!(log.stored_until(90).await.unwrap(), 90);
    let mut reader = log.read(102..109).await.unwrap();
    let mut read = Vec::new();
    while let Some(data) = reader.next().await.unwrap() {
        read.extend_from_slice(&data);
    }
    assert_eq!(read, b"cdefghi");
    let gap = log.read(102..125).await.unwrap_err();
    assert!(gap.to_string().contains("gap at 0/6D"), "{gap}");
    let conflict = log.append(105, "xyz".into()).await.unwrap_err();
    assert_eq!(conflict.kind(), ErrorKind::Conflict, "{conflict}");
}

#[tokio::test]
async fn a_supervisor_takes_backups() {
    let repository = repository(Arc::new(MemoryBlobStore::new())).await;
    let daily = BackupSchedule::daily_full_hourly_incremental_15min_wal().unwrap();
    let ops = Supervisor::builder(Arc::new(MemoryStateStore::new(SystemClock::shared())))
        .job(BackupJob::new(repository.clone(), Arc::new(service()), daily))
        .build()
        .unwrap();
    let job = ops.handle("backup-memory").unwrap();
    job.wake();
    let clock = SystemClock::shared();
    let taken = async {
        while repository.backups().await.unwrap().is_empty() || job.history().await.unwrap().is_empty() {
            clock.sleep(Duration::from_millis(5)).await;
        }
    };
    ops.run_until(taken).await.unwrap();
    let history = job.history().await.unwrap();
    assert!(format!("{history:?}").contains("backup "), "the report is kept: {history:?}");
}
