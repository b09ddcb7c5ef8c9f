//! Google's own Python client against the Secret Manager server that the other tests rely on.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use alfred_ops_core::blocking;
use alfred_ops_core::testing::Python;
use alfred_ops_maintenance::testing::SecretManagerServer;
use alfred_ops_maintenance::{GoogleSecrets, SecretStore as _, VersionState};

/// The client that the server was held against; a newer one is a decision.
const CLIENT: &str = "google-cloud-secret-manager==2.32.0";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/check_secret_manager.py");

#[tokio::test]
async fn googles_python_client_finds_what_google_documents() {
    let server = SecretManagerServer::start().await.unwrap();
    let endpoint = server.endpoint().to_owned();
    let python = || Python::with(env!("CARGO_TARGET_TMPDIR"), &[CLIENT]);
    let printed = blocking(move || python().script(SCRIPT, &[&endpoint])).await.unwrap();
    assert_eq!(printed.trim(), "passed");

    let secrets = GoogleSecrets::connect_to("alfred", server.endpoint()).await.unwrap();
    let view = secrets.look("python").await.unwrap();
    assert_eq!((view.active, view.state_of(1)), (Some(2), Some(VersionState::Destroyed)));
    assert_eq!(secrets.read("python", 2).await.unwrap().expose(), "two", "both clients see one secret");
    server.stop().await;
}
