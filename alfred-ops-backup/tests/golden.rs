//! The promise of format 1: repositories that an earlier version wrote stay readable, bit for bit.
//!
//! `tests/golden/v1-*` were written by the first version of the format. They are never written again; a new
//! format gets folders of its own: `ALFRED_OPS_WRITE_GOLDEN=1 cargo test -p alfred-ops-backup --test golden`
//! makes those that are missing.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alfred_ops_backup::{
    BackupRequest, LocalBlobStore, MemoryBackend, Repository, RepositoryKey, RepositoryOptions,
    RestoreRequest,
};
use alfred_ops_core::{JobContext, SeededEntropy};
use bytes::Bytes;

/// Text that compresses, different for each seed.
fn text(seed: usize, bytes: usize) -> Vec<u8> {
    format!("row {seed} of the golden repository; ").into_bytes().into_iter().cycle().take(bytes).collect()
}

/// The states that were backed up, one after another: whole and changed pages, a short tail, zeros, growth,
/// truncation, small and empty files.
fn states() -> Vec<BTreeMap<String, Bytes>> {
    let mut table = text(1, 60 * 8192 + 100);
    let mut states = Vec::new();
    for step in 0..4usize {
        match step {
            1 => table[7 * 8192..9 * 8192].copy_from_slice(&text(2, 2 * 8192)),
            2 => {
                table.truncate(40 * 8192);
                table[3 * 8192..5 * 8192].fill(0);
            }
            3 => table.extend(text(3, 20 * 8192)),
            _ => {}
        }
        let state = BTreeMap::from([
            ("base/table".to_owned(), Bytes::from(table.clone())),
            ("base/zeros".to_owned(), Bytes::from(vec![0; 3 * 8192])),
            ("empty".to_owned(), Bytes::new()),
            (format!("small/{step}"), Bytes::from(text(step, 500))),
        ]);
        states.push(state);
    }
    states
}

fn options(encrypted: bool) -> RepositoryOptions {
    let key = RepositoryKey::generate(&SeededEntropy::new(2026));
    if encrypted { RepositoryOptions::default().with_key(key) } else { RepositoryOptions::default() }
}

async fn write(folder: &Path, encrypted: bool) {
    let context = JobContext::system();
    let store = Arc::new(LocalBlobStore::open(folder).await.unwrap());
    let repository = Repository::open_or_create(store, options(encrypted), &context).await.unwrap();
    for state in states() {
        let service = MemoryBackend::new();
        state.into_iter().for_each(|(name, value)| service.insert(name, value));
        repository.run_backup(&service, BackupRequest::full(), &context).await.unwrap();
    }
    let log = repository.log("wal");
    log.append(4096, text(9, 5000).into()).await.unwrap();
    log.append(9096, text(10, 100).into()).await.unwrap();
    std::fs::remove_dir_all(folder.join("~unfinished")).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let goal = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &goal);
        } else {
            std::fs::copy(entry.path(), goal).unwrap();
        }
    }
}

async fn stays_readable(name: &str, encrypted: bool) {
    let golden: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "golden", name].iter().collect();
    if !golden.exists() && std::env::var_os("ALFRED_OPS_WRITE_GOLDEN").is_some() {
        write(&golden, encrypted).await;
    }
    let home = tempfile::tempdir().unwrap();
    copy(&golden, home.path());
    let store = Arc::new(LocalBlobStore::open(home.path()).await.unwrap());
    let repository = Repository::open(store, options(encrypted)).await.unwrap();
    let context = JobContext::system();
    let backups = repository.backups().await.unwrap();
    assert_eq!(backups.len(), states().len());
    for (record, state) in backups.iter().zip(states()) {
        repository.verify(record, &context).await.unwrap();
        let service = MemoryBackend::new();
        repository.run_restore(record, &service, &RestoreRequest::new(""), &context).await.unwrap();
        assert!(service.state() == state, "backup {}", record.id);
    }
    let mut log = repository.log("wal").read(5000..9196).await.unwrap();
    let mut read = Vec::new();
    while let Some(data) = log.next().await.unwrap() {
        read.extend_from_slice(&data);
    }
    assert_eq!(read, [&text(9, 5000)[904..], &text(10, 100)].concat());
    // And it can be written on.
    let next = repository.run_backup(&MemoryBackend::new(), BackupRequest::full(), &context).await.unwrap();
    assert_eq!(next.base, Some(backups[backups.len() - 1].id));
}

#[tokio::test]
async fn plain_repositories_of_version_1_stay_readable() {
    stays_readable("v1-plain", false).await;
}

#[tokio::test]
async fn encrypted_repositories_of_version_1_stay_readable() {
    stays_readable("v1-encrypted", true).await;
}
