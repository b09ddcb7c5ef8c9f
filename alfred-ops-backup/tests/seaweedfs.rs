//! The S3 store on an independent server: SeaweedFS, with versioning and Object Lock.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

use std::num::NonZeroU32;

use alfred_ops_backup::testing::conformance;
use alfred_ops_backup::testing::servers::SeaweedServer;
use alfred_ops_backup::{
    BlobStore, CreateOnce, ObjectLock, ObjectLockMode, S3BlobStore, S3Flavour, S3Options,
    probe_conditional_writes,
};
use alfred_ops_core::{ErrorKind, JobContext, Secret};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use bytes::Bytes;
use chrono::TimeDelta;

const MIB: usize = 1024 * 1024;

/// Bytes that differ from part to part.
fn body(bytes: usize) -> Bytes {
    (0..bytes).map(|at| u8::try_from(at / 4096 % 251).unwrap()).collect()
}

async fn bucket(options: &S3Options) {
    options.client().create_bucket().bucket(&options.bucket).send().await.unwrap();
}

async fn store_in(options: S3Options) -> S3BlobStore {
    bucket(&options).await;
    S3BlobStore::connect(options).await.unwrap()
}

/// One server for all: it takes seconds to start.
#[tokio::test]
async fn an_independent_server_agrees() {
    let server = SeaweedServer::start().await.unwrap();
    keeps_the_contract(&server).await;
    large_blobs_travel_in_parts(&server).await;
    lost_uploads_are_swept(&server).await;
    versioned_buckets_work(&server).await;
    locked_blobs_stay(&server).await;
    strangers_and_readers_are_told(&server).await;
}

async fn keeps_the_contract(server: &SeaweedServer) {
    let store = store_in(server.options("plain")).await;
    conformance::blob_store(&store).await;
    let below = S3BlobStore::connect(server.options("plain").with_prefix("a/b")).await.unwrap();
    conformance::blob_store(&below).await;
    // Named wrongly it is found out before a key is missed.
    let options = server.options("plain").with_flavour(S3Flavour::Compatible);
    let error = S3BlobStore::connect(options).await.unwrap().list("list/", "", 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("S3Flavour::SeaweedFs"), "{error}");
    let context = JobContext::system();
    assert_eq!(probe_conditional_writes(&store, &context).await.unwrap(), CreateOnce::Enforced);
}

async fn large_blobs_travel_in_parts(server: &SeaweedServer) {
    let store = store_in(server.options("large")).await;
    let (first, second) = (body(20 * MIB + 5), body(17 * MIB));
    store.put("put", first.clone()).await.unwrap();
    assert_eq!(store.get("put").await.unwrap(), first);
    let range = 8 * MIB as u64 - 2..8 * MIB as u64 + 3;
    assert_eq!(store.get_range("put", range).await.unwrap(), first[8 * MIB - 2..8 * MIB + 3]);
    store.create("create", first.clone()).await.unwrap();
    let error = store.create("create", second.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}");
    assert_eq!(store.get("create").await.unwrap(), first, "the first blob is untouched");
    for round in 0..10 {
        let key = format!("race/{round}");
        let (one, two) = tokio::join!(store.create(&key, first.clone()), store.create(&key, second.clone()));
        assert!(one.is_ok() != two.is_ok(), "exactly one of two rivals wins: {one:?} {two:?}");
    }
    let client = server.options("large").client();
    let uploads = client.list_multipart_uploads().bucket("large").send().await.unwrap();
    assert!(uploads.uploads().is_empty(), "no parts are left behind: {uploads:?}");
}

async fn lost_uploads_are_swept(server: &SeaweedServer) {
    let store = store_in(server.options("lost").with_prefix("mine")).await;
    let client = server.options("lost").client();
    for key in ["mine/a", "mine/b", "other/c"] {
        client.create_multipart_upload().bucket("lost").key(key).send().await.unwrap();
    }
    let now = || JobContext::system().now();
    assert_eq!(store.abort_uploads_started_before(now() - TimeDelta::hours(1)).await.unwrap(), 0);
    assert_eq!(store.abort_uploads_started_before(now() + TimeDelta::hours(1)).await.unwrap(), 2);
    let left = client.list_multipart_uploads().bucket("lost").send().await.unwrap();
    let left: Vec<_> = left.uploads().iter().filter_map(|upload| upload.key()).collect();
    assert_eq!(left, ["other/c"], "other prefixes are not ours");
}

async fn versioned_buckets_work(server: &SeaweedServer) {
    let options = server.options("versioned");
    bucket(&options).await;
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let client = options.client();
    client.put_bucket_versioning().bucket("versioned").versioning_configuration(on).send().await.unwrap();
    let store = S3BlobStore::connect(options).await.unwrap();
    conformance::blob_store(&store).await;
    store.put("kept", Bytes::from_static(b"1")).await.unwrap();
    store.delete("kept").await.unwrap();
    assert_eq!(store.get("kept").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(store.list("kept", "", 1).await.unwrap().is_empty());
    let versions = client.list_object_versions().bucket("versioned").prefix("kept").send().await.unwrap();
    assert_eq!((versions.versions().len(), versions.delete_markers().len()), (1, 1), "hidden, not gone");
}

async fn locked_blobs_stay(server: &SeaweedServer) {
    let lock = ObjectLock { mode: ObjectLockMode::Compliance, days: NonZeroU32::MIN };
    let options = server.options("locked").with_object_lock(lock);
    let client = options.client();
    client.create_bucket().bucket("locked").object_lock_enabled_for_bucket(true).send().await.unwrap();
    let store = S3BlobStore::connect(options).await.unwrap();
    let large = body(17 * MIB);
    store.put("put", Bytes::from_static(b"1")).await.unwrap();
    store.create("create", Bytes::from_static(b"2")).await.unwrap();
    store.put("large", large.clone()).await.unwrap();
    assert_eq!(store.get("large").await.unwrap(), large);
    for key in ["put", "create", "large"] {
        let error = store.delete(key).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        let tomorrow = (JobContext::system().now() + TimeDelta::days(1)).format("%Y-%m-%d").to_string();
        let text = error.to_string();
        assert!(text.contains("locked until") && text.contains(&tomorrow), "{text}");
        assert!(text.contains("COMPLIANCE") && text.contains("keep backups for longer"), "{text}");
        // Not only this client refuses: the server keeps the version against whoever asks.
        let head = client.head_object().bucket("locked").key(key).send().await.unwrap();
        let version = head.version_id().unwrap();
        let refused = client.delete_object().bucket("locked").key(key).version_id(version).send().await;
        assert!(refused.is_err(), "{key}: {refused:?}");
        assert!(store.get(key).await.is_ok());
    }
    store.delete("never-there").await.unwrap();
    // A client that knows of no lock hides the blob; its bytes stay.
    let plain = S3BlobStore::connect(server.options("locked")).await.unwrap();
    plain.delete("put").await.unwrap();
    assert_eq!(store.get("put").await.unwrap_err().kind(), ErrorKind::NotFound);
    let versions = client.list_object_versions().bucket("locked").prefix("put").send().await.unwrap();
    assert_eq!(versions.versions().len(), 1);
}

async fn strangers_and_readers_are_told(server: &SeaweedServer) {
    let store = store_in(server.options("guarded")).await;
    store.put("a", Bytes::from_static(b"1")).await.unwrap();
    let mut wrong = server.options("guarded");
    wrong.secret_access_key = Secret::new("wrong-secret");
    let error = S3BlobStore::connect(wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(error.to_string().contains("check the access key"), "{error}");
    assert!(!error.full().contains("wrong-secret"), "{}", error.full());

    let reader = S3BlobStore::connect(server.reader_options("guarded")).await.unwrap();
    assert_eq!(reader.get("a").await.unwrap(), "1");
    let large = body(17 * MIB);
    for outcome in [
        reader.put("b", Bytes::new()).await,
        reader.create("b", Bytes::new()).await,
        reader.put("b", large.clone()).await,
        reader.create("b", large).await,
        reader.delete("a").await,
    ] {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        assert!(error.to_string().contains("may get, put, list and delete"), "{error}");
    }
    assert_eq!(store.list("", "", 5).await.unwrap().len(), 1, "nothing changed");

    let error = S3BlobStore::connect(server.options("missing")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("create the bucket"), "{error}");
}
