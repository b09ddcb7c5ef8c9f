//! What Cloud Run uses, as its Admin API lists it.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod image_uses;

use alfred_ops_core::{Error, ErrorKind};
use alfred_ops_maintenance::{CloudRunUse, ImageUse as _};
use alfred_ops_scaling::testing::servers::{CloudRunServer, Fault};
use alfred_ops_scaling::{CloudRunInventory, CloudRunOptions};
use image_uses::{Shelf, care_of, told};
use serde_json::{Value, json};

const REGION: &str = "projects/social-intel/locations/europe-west1";

async fn uses(server: &CloudRunServer) -> CloudRunUse {
    let options = CloudRunOptions::region("social-intel", "europe-west1").unwrap();
    let region = CloudRunInventory::connect(options.with_endpoint(server.endpoint())).await.unwrap();
    CloudRunUse::new("cloud-run", [region]).unwrap()
}

fn made_of(images: &[&str]) -> Value {
    json!({ "containers": images.iter().map(|image| json!({ "image": image })).collect::<Vec<_>>() })
}

/// Adds a service or worker pool, and deploys these images to it one after the other.
fn deploy(server: &CloudRunServer, name: &str, images: &[&[&str]]) {
    let name = format!("{REGION}/{name}");
    server.add(&name, &json!({ "template": made_of(images[0]) }));
    for images in &images[1..] {
        server.change(&name, &json!({ "template": made_of(images) }), "template");
    }
}

fn job(image: &str) -> Value {
    json!({ "template": { "template": made_of(&[image]) } })
}

#[tokio::test]
async fn each_kind_tells_what_it_runs_or_would_go_back_to() {
    let server = CloudRunServer::start().await.unwrap();
    // Smaller than any list here, so that all take several pages.
    server.page_by(2);
    let tags = ["r0", "r1", "r2", "new"];
    let mut expected = vec!["proxy:1".to_owned()];
    for number in 0..5 {
        let images = tags.map(|tag| format!("s{number}:{tag}"));
        let [r0, r1, r2, new] = images.each_ref().map(String::as_str);
        deploy(&server, &format!("services/s{number}"), &[&[r0], &[r1], &[r2], &[new, "proxy:1"]]);
        expected.extend(images);
    }
    for number in 0..3 {
        let images = tags.map(|tag| format!("w{number}:{tag}"));
        let [r0, r1, r2, new] = images.each_ref().map(String::as_str);
        deploy(&server, &format!("workerPools/w{number}"), &[&[r0], &[r1], &[r2], &[new]]);
        expected.extend(images);
        let (name, images) =
            (format!("{REGION}/jobs/j{number}"), ["new", "past"].map(|tag| format!("j{number}:{tag}")));
        server.add_job(&name, job(&images[0]));
        server.add_job(&format!("{name}/executions/e"), json!({ "template": made_of(&[&images[1]]) }));
        expected.extend(images);
    }
    // It is built from source, and has not been built.
    deploy(&server, "services/source", &[&[""]]);
    server.add_job(&format!("{REGION}/jobs/bare"), json!({}));
    let mut expected: Vec<String> = expected.iter().map(|name| format!("docker.io/library/{name}")).collect();
    expected.sort();
    assert_eq!(told(&uses(&server).await).await, expected);
    server.stop().await;
}

fn check(error: &Error, kind: ErrorKind, said: &[&str]) {
    let full = error.full();
    assert_eq!(error.kind(), kind, "{full}");
    for said in said {
        assert!(full.contains(said), "{said} is not in {full}");
    }
}

#[tokio::test]
async fn what_may_not_be_read_is_an_error_that_says_what_is_missing() {
    let server = CloudRunServer::start().await.unwrap();
    deploy(&server, "workerPools/w", &[&["w:1"]]);
    // Services and their revisions, worker pools and the revisions of one, jobs and their executions.
    for answered in 0..6 {
        server.fail_next(std::iter::repeat_n(Fault::Pass, answered).chain([Fault::Denied]));
        let error = uses(&server).await.in_use().await.unwrap_err();
        check(&error, ErrorKind::PermissionDenied, &["roles/run.viewer", REGION]);
    }
    assert_eq!(told(&uses(&server).await).await, ["docker.io/library/w:1"], "there are six lists");
    server.add_job(&format!("{REGION}/jobs/typo"), job("no image"));
    let error = uses(&server).await.in_use().await.unwrap_err();
    check(&error, ErrorKind::InvalidInput, &["jobs/typo", "\"no image\"", "delete the resource"]);
    server.lose_region("europe-west1");
    let error = uses(&server).await.in_use().await.unwrap_err();
    check(&error, ErrorKind::Unavailable, &["europe-west1 cannot be reached"]);

    check(
        &CloudRunUse::new("cloud-run", []).unwrap_err(),
        ErrorKind::InvalidInput,
        &["regions: there is none"],
    );
    check(&CloudRunOptions::region("a/b", "c").unwrap_err(), ErrorKind::InvalidInput, &["project: \"a/b\""]);
    let service = CloudRunOptions::new("social-intel", "europe-west1", "bot").unwrap();
    let error = CloudRunInventory::connect(service).await.unwrap_err();
    check(&error, ErrorKind::InvalidInput, &["CloudRunOptions::region"]);
    server.stop().await;
}

#[tokio::test]
async fn nothing_that_cloud_run_uses_is_removed_and_nothing_at_all_if_it_does_not_tell() {
    let server = CloudRunServer::start().await.unwrap();
    deploy(&server, "services/s", &[&["registry.example/bot:v1"], &["registry.example/bot:v2"]]);
    let shelf = Shelf::new("bot", &["v1", "unused"]);
    // Whatever is asked.
    server.fail_next(std::iter::repeat_n(Fault::Denied, 100));
    let record = care_of(&shelf, uses(&server).await).await;
    assert_eq!(shelf.tags().len(), 2, "{}", record.plan);
    assert!(record.plan.contains("nothing is removed, since cloud-run does not tell"), "{}", record.plan);
    server.heal();
    let record = care_of(&shelf, uses(&server).await).await;
    assert_eq!(shelf.tags(), ["v1"], "{}", record.plan);
    server.stop().await;
}
