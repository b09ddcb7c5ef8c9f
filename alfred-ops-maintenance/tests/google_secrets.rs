//! Secrets in Google Secret Manager, against a server that keeps state.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use alfred_ops_core::{ErrorKind, Secret};
use alfred_ops_maintenance::testing::{SecretManagerServer, conformance};
use alfred_ops_maintenance::{GoogleSecrets, SecretStore as _};

#[tokio::test]
async fn the_contract_is_kept() {
    let server = SecretManagerServer::start().await.unwrap();
    let secrets = GoogleSecrets::connect_to("alfred", server.endpoint()).await.unwrap();
    conformance::secret_store(&secrets).await;
    server.stop().await;
}

#[tokio::test]
async fn errors_name_what_is_wrong_and_no_value() {
    for project in ["", "a/b"] {
        let error = GoogleSecrets::connect_to(project, "http://127.0.0.1:1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{project:?}");
    }
    let secrets = GoogleSecrets::connect_to("alfred", "http://127.0.0.1:1").await.unwrap();
    let error = secrets.add("db", &Secret::new("hunter2")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.full());
    let told = format!("{} {error:?} {secrets:?}", error.full());
    assert!(told.contains("projects/alfred/secrets/db") && !told.contains("hunter2"), "{told}");
}
