//! Google's own Python client against the Admin API server that the other tests rely on.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use alfred_ops_core::blocking;
use alfred_ops_core::testing::Python;
use alfred_ops_scaling::testing::servers::CloudRunServer;
use alfred_ops_scaling::{CloudRunOptions, CloudRunScaler, Scaler};

/// The client that the server was written against; a newer one is a decision.
const CLIENT: &str = "google-cloud-run==0.16.2";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/check_cloud_run.py");
const NAME: &str = "projects/alfred/locations/europe-west1/services/python";

#[tokio::test]
async fn googles_python_client_finds_what_google_documents() {
    let server = CloudRunServer::start().await.unwrap();
    let endpoint = server.endpoint().to_owned();
    let python = || Python::with(env!("CARGO_TARGET_TMPDIR"), &[CLIENT]);
    let printed = blocking(move || python().script(SCRIPT, &[&endpoint])).await.unwrap();
    assert_eq!(printed.trim(), "10 checks passed");
    assert_eq!(server.history(NAME), [5, 0, 0, 7]);
    assert_eq!(server.revisions(NAME), Some(2), "one when it was made, one for another image");

    let options =
        CloudRunOptions::new("alfred", "europe-west1", "python").unwrap().with_endpoint(server.endpoint());
    let scaler = CloudRunScaler::connect(options).await.unwrap();
    assert_eq!(scaler.current().await.unwrap().configured, 7, "both clients see one service");
    server.stop().await;
}
