//! Every blob store keeps the one contract.

use alfred_ops_backup::testing::conformance;
use alfred_ops_backup::testing::servers::S3Server;
use alfred_ops_backup::{LocalBlobStore, MemoryBlobStore, S3BlobStore};
use alfred_ops_core::{ErrorKind, Secret};

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
