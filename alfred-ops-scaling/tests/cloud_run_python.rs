//! Google's own Python client against the Admin API server that the other tests rely on.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use alfred_ops_core::blocking;
use alfred_ops_scaling::testing::servers::CloudRunServer;
use alfred_ops_scaling::{CloudRunOptions, CloudRunScaler, Scaler};

/// The client that the server was written against; a newer one is a decision.
const CLIENT: &str = "google-cloud-run==0.16.2";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/check_cloud_run.py");
const NAME: &str = "projects/alfred/locations/europe-west1/services/python";

/// Runs a command, which must succeed, and returns what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} failed: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// A virtual environment with the client, made once for each target folder.
fn python() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(CLIENT.replace("==", "-"));
    let (python, ready) = (home.join("bin/python"), home.join("ready"));
    if !ready.exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--no-input", CLIENT]));
        std::fs::write(ready, CLIENT).unwrap();
    }
    python
}

#[tokio::test]
async fn googles_python_client_finds_what_google_documents() {
    let server = CloudRunServer::start().await.unwrap();
    let endpoint = server.endpoint().to_owned();
    let printed = blocking(move || run(Command::new(python()).arg(SCRIPT).arg(endpoint))).await.unwrap();
    assert_eq!(printed.trim(), "5 checks passed");
    assert_eq!(server.history(NAME), [5, 0, 0, 7]);
    assert_eq!(server.revisions(NAME), Some(2), "one when it was made, one for another image");

    let options =
        CloudRunOptions::new("alfred", "europe-west1", "python").unwrap().with_endpoint(server.endpoint());
    let scaler = CloudRunScaler::connect(options).await.unwrap();
    assert_eq!(scaler.current().await.unwrap().configured, 7, "both clients see one service");
    server.stop().await;
}
