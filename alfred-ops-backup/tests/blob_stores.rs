//! Every blob store keeps the one contract.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

use std::time::Duration;

use alfred_ops_backup::testing::conformance;
use alfred_ops_backup::testing::servers::{S3Fault, S3Server};
use alfred_ops_backup::{
    BlobStore, CreateOnce, LocalBlobStore, MemoryBlobStore, S3BlobStore, S3Flavour, probe_conditional_writes,
};
use alfred_ops_core::{ClockExt as _, ErrorKind, JobContext, Retry, Secret, SystemClock};
use bytes::Bytes;

const MIB: usize = 1024 * 1024;

/// Bytes that differ from part to part.
fn body(bytes: usize) -> Bytes {
    (0..bytes).map(|at| u8::try_from(at / 4096 % 251).unwrap()).collect()
}

async fn started() -> (S3Server, S3BlobStore) {
    let server = S3Server::start(&["backups"]).await.unwrap();
    let store = S3BlobStore::connect(server.options("backups")).await.unwrap();
    (server, store)
}

/// How many requests so far hold each of the given texts.
fn count(server: &S3Server, parts: &[&str]) -> usize {
    let fits = |line: &String| parts.iter().all(|part| line.contains(part));
    server.requests().iter().filter(|line| fits(line)).count()
}

/// Waits until the server has seen a request that holds each of the texts.
async fn seen(server: &S3Server, parts: &[&str]) {
    let look = async {
        while count(server, parts) == 0 {
            tokio::task::yield_now().await;
        }
    };
    SystemClock::new().timeout(Duration::from_secs(60), "wait for a request", look).await.unwrap();
}

#[tokio::test]
async fn memory() {
    conformance::blob_store(&MemoryBlobStore::new()).await;
}

#[tokio::test]
async fn local() {
    let home = tempfile::tempdir().unwrap();
    let store = LocalBlobStore::open(home.path().join("new/store")).await.unwrap();
    conformance::blob_store(&store).await;
}

#[tokio::test]
async fn s3() {
    let server = S3Server::start(&["backups"]).await.unwrap();
    let store = S3BlobStore::connect(server.options("backups")).await.unwrap();
    conformance::blob_store(&store).await;
    let below = S3BlobStore::connect(server.options("backups").with_prefix("/some/prefix/")).await.unwrap();
    conformance::blob_store(&below).await;
    server.stop().await;
}

#[tokio::test]
async fn s3_errors_name_the_remedy() {
    let server = S3Server::start(&["backups"]).await.unwrap();
    let error = S3BlobStore::connect(server.options("missing")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains("s3://missing") && error.to_string().contains("create the bucket"),
        "{error}"
    );

    let mut options = server.options("backups");
    options.secret_access_key = Secret::new("wrong-key");
    let error = S3BlobStore::connect(options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("check the access key"), "{error}");
    assert!(!error.full().contains("wrong-key"), "{}", error.full());

    let options = server.options("backups").with_endpoint("http://127.0.0.1:1");
    let error = S3BlobStore::connect(options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("check the endpoint"), "{error}");
}

#[tokio::test]
async fn s3_in_the_dialect_of_google() {
    let (server, _) = started().await;
    let options = server.options("backups").with_flavour(S3Flavour::Gcs);
    let store = S3BlobStore::connect(options).await.unwrap();
    conformance::blob_store(&store).await;
    let outcome = probe_conditional_writes(&store, &JobContext::system()).await.unwrap();
    assert_eq!(outcome, CreateOnce::Enforced);
    store.create("large", body(17 * MIB)).await.unwrap();
    let error = store.create("large", body(18 * MIB)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert_eq!(count(&server, &["large", "partNumber"]), 0, "one request carries the condition");
    assert_eq!(store.get("large").await.unwrap().len(), 17 * MIB);
}

#[tokio::test]
async fn s3_large_blobs_travel_in_parts() {
    let (server, store) = started().await;
    let large = body(20 * MIB + 1);
    store.put("large", large.clone()).await.unwrap();
    assert_eq!(store.get("large").await.unwrap(), large);
    assert_eq!(count(&server, &["PUT", "large", "partNumber="]), 3);
    store.put("small", body(16 * MIB - 1)).await.unwrap();
    assert_eq!(count(&server, &["small", "uploads"]), 0, "below the threshold one request does");
    store.create("once", large.clone()).await.unwrap();
    let error = store.create("once", body(17 * MIB)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert_eq!(store.get("once").await.unwrap(), large);
    seen(&server, &["DELETE", "once", "uploadId"]).await;
}

#[tokio::test]
async fn s3_uploads_that_fail_or_are_dropped_are_aborted() {
    let (server, store) = started().await;
    server.script([S3Fault::refuse("PUT", "failed?x-id=UploadPart&partNumber=2", 403, "AccessDenied")]);
    let error = store.put("failed", body(24 * MIB)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    seen(&server, &["DELETE", "failed", "uploadId"]).await;

    let data = body(24 * MIB);
    tokio::select! {
        outcome = store.put("dropped", data) => panic!("dropped too late: {outcome:?}"),
        () = seen(&server, &["PUT", "dropped", "partNumber=1"]) => {}
    }
    seen(&server, &["DELETE", "dropped", "uploadId"]).await;
    assert!(store.list("", "", 5).await.unwrap().is_empty(), "nothing became visible");
}

#[tokio::test]
async fn s3_lost_answers_are_looked_at() {
    let (server, store) = started().await;
    // The creation happened, its answer did not arrive: a blind repeat would say that the key is taken.
    server.script([S3Fault::refuse("PUT", "small", 500, "InternalError").after_effect()]);
    store.create("small", Bytes::from_static(b"ours")).await.unwrap();
    assert_eq!((count(&server, &["PUT", "small"]), count(&server, &["GET", "small"])), (1, 1));

    server.script([S3Fault::refuse("POST", "large?uploadId", 500, "InternalError").after_effect()]);
    store.create("large", body(17 * MIB)).await.unwrap();
    assert_eq!(count(&server, &["POST", "large", "uploadId"]), 1);

    // Nor is the end of a large put repeated blindly: the upload would be gone.
    server.script([S3Fault::refuse("POST", "put?uploadId", 500, "InternalError").after_effect()]);
    store.put("put", body(17 * MIB)).await.unwrap();
    assert_eq!(store.get("put").await.unwrap().len(), 17 * MIB);

    // Turned away at the door: nothing happened, so it is repeated without a look.
    server.script([S3Fault::refuse("PUT", "door", 503, "SlowDown")]);
    store.create("door", Bytes::from_static(b"ours")).await.unwrap();
    assert_eq!((count(&server, &["PUT", "door"]), count(&server, &["GET", "door"])), (2, 0));

    // An answer that breaks off is asked for again.
    store.put("whole", body(MIB)).await.unwrap();
    server.script([S3Fault::cut("GET", "whole"), S3Fault::cut("GET", "whole")]);
    assert_eq!(store.get("whole").await.unwrap(), body(MIB));
    assert_eq!(count(&server, &["GET", "whole"]), 3);

    // What stays open says so.
    let store = S3BlobStore::connect(server.options("backups").with_attempts_max(1)).await.unwrap();
    server.script([S3Fault::refuse("PUT", "open", 500, "InternalError")]);
    let error = store.put("open", Bytes::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Unknown), "{error}");
    server.script([S3Fault::refuse("GET", "small", 500, "InternalError")]);
    let error = store.get("small").await.unwrap_err();
    assert_eq!(error.retry(), Retry::After(None), "a read changes nothing: {error}");
    server.stop().await;
}

#[tokio::test]
async fn s3_refusals_name_the_remedy() {
    let (server, store) = started().await;
    for (status, code, kind, remedy) in [
        (400, "ExpiredToken", ErrorKind::PermissionDenied, "renew the credentials"),
        (403, "AccessDenied", ErrorKind::PermissionDenied, "may get, put, list and delete"),
        (403, "RequestTimeTooSkewed", ErrorKind::PermissionDenied, "set this machine's clock"),
        (507, "XMinioStorageFull", ErrorKind::ResourceExhausted, "free space"),
    ] {
        for (method, query) in [("PUT", "a"), ("GET", "a"), ("GET", "list-type"), ("DELETE", "a")] {
            server.script((0..5).map(|_| S3Fault::refuse(method, query, status, code)));
            let error = match (method, query) {
                ("PUT", _) => store.create("a", Bytes::new()).await.unwrap_err(),
                ("GET", "a") => store.get("a").await.unwrap_err(),
                ("GET", _) => store.list("", "", 1).await.unwrap_err(),
                _ => store.delete("a").await.unwrap_err(),
            };
            assert_eq!(error.kind(), kind, "{method} {error}");
            assert!(error.to_string().contains(remedy) && error.full().contains(code), "{}", error.full());
            server.heal();
        }
    }
    assert!(store.list("", "", 1).await.unwrap().is_empty(), "nothing changed");
}
